/* clock.h - a Python function as the clock of a limiter (fp_gcra.h). */
#ifndef FASTPRIMS_CLOCK_H
#define FASTPRIMS_CLOCK_H

#include <Python.h>

#include "limits/fp_gcra.h"

/* Reads the clock. False: an exception is set. */
static bool fp_read_python_clock(void *function, int64_t *now) {
    PyObject *value = PyObject_CallNoArgs((PyObject *)function);
    if (value == NULL)
        return false;
    int overflow = 0;
    bool done = false;
    PyObject *number = PyIndex_Check(value) ? PyNumber_Index(value) : NULL; /* NumPy's, too */
    if (!PyIndex_Check(value)) {
        PyErr_Format(PyExc_TypeError,
                     "the clock of a RateLimiter must return nanoseconds as an int, as "
                     "time.monotonic_ns does, not %.100s",
                     Py_TYPE(value)->tp_name);
    } else if (number != NULL) {
        *now = PyLong_AsLongLongAndOverflow(number, &overflow);
        if (overflow)
            PyErr_SetString(PyExc_OverflowError,
                            "the clock of a RateLimiter must return nanoseconds of 64 bits");
        else
            done = true;
    }
    Py_XDECREF(number);
    Py_DECREF(value);
    return done;
}

#endif
