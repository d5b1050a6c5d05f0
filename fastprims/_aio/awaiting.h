/* awaiting.h - what an await does with an object, without the generator or coroutine between.
 *
 * An awaitable class has one function, `advance`. It gets what the event loop sends, and answers
 * PYGEN_NEXT with a future to wait for (whatever the loop expects), PYGEN_RETURN with the result,
 * or PYGEN_ERROR with an exception set. The interpreter asks through one of two slots: am_send,
 * which tells these apart by itself, or tp_iternext, where the result is the value of a
 * StopIteration. */
#ifndef FASTPRIMS_AWAITING_H
#define FASTPRIMS_AWAITING_H

#include <Python.h>

typedef PySendResult (*fp_advance)(PyObject *self, PyObject *value, PyObject **result);

static fp_advance fp_advance_call;

static PySendResult fp_await_send(PyObject *self, PyObject *value, PyObject **result) {
    return fp_advance_call(self, value, result);
}

/* Raises StopIteration with this value; takes over the reference. */
static void fp_stop_with(PyObject *value) {
    PyObject *stop = PyObject_CallOneArg(PyExc_StopIteration, value);
    Py_DECREF(value);
    if (stop != NULL) {
        PyErr_SetObject(PyExc_StopIteration, stop);
        Py_DECREF(stop);
    }
}

static PyObject *fp_await_next(PyObject *self) {
    PyObject *result = NULL;
    switch (fp_advance_call(self, Py_None, &result)) {
    case PYGEN_NEXT:
        return result;
    case PYGEN_RETURN:
        if (result == Py_None)
            Py_DECREF(result); /* the end without an exception means None */
        else
            fp_stop_with(result);
        return NULL;
    default:
        return NULL;
    }
}

/* Once, for the one class of awaitables. */
static inline int fp_set_advance(PyObject *type, fp_advance advance) {
    PyTypeObject *t = (PyTypeObject *)type;
    fp_advance_call = advance;
    t->tp_iternext = fp_await_next;
    t->tp_as_async->am_send = fp_await_send;
    PyType_Modified(t);
    return 0;
}

#endif
