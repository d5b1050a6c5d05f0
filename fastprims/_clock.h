/* _clock.h - a Python function as the clock of a limiter (fp_gcra.h). */
#ifndef FASTPRIMS_CLOCK_H
#define FASTPRIMS_CLOCK_H

#include <Python.h>

#include "fp_gcra.h"

/* False with an exception set. */
static bool fp_read_python_clock(void *function, int64_t *now) {
    PyObject *value = PyObject_CallNoArgs((PyObject *)function);
    if (value == NULL)
        return false;
    int overflow = 0;
    bool done = false;
    if (!PyLong_Check(value)) {
        PyErr_Format(PyExc_TypeError,
                     "the clock of a RateLimiter must return nanoseconds as an int, as "
                     "time.monotonic_ns does, not %.100s",
                     Py_TYPE(value)->tp_name);
    } else {
        *now = PyLong_AsLongLongAndOverflow(value, &overflow);
        if (overflow)
            PyErr_SetString(PyExc_OverflowError,
                            "the clock of a RateLimiter must return nanoseconds of 64 bits");
        else
            done = true;
    }
    Py_DECREF(value);
    return done;
}

#endif
