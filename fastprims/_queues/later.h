/* later.h - raising an exception of a callback later, after the operation that called it.
 *
 * A BaseException that is no Exception (as a rule SystemExit or KeyboardInterrupt, raised by a
 * signal handler) was not meant for the callback, which only happened to run when the signal came.
 * The operation has taken effect by then. An exception from it would say that it had not. So the
 * exception is raised as if the signal had come a moment later. */
#ifndef FASTPRIMS_LATER_H
#define FASTPRIMS_LATER_H

#include <Python.h>
#include <stdbool.h>

/* Clears the exception that is set, and returns it: a new reference. */
static PyObject *fp_take_error(void) {
#if PY_VERSION_HEX >= 0x030C0000
    return PyErr_GetRaisedException();
#else
    PyObject *type, *value, *trace;
    PyErr_Fetch(&type, &value, &trace);
    PyErr_NormalizeException(&type, &value, &trace);
    if (trace != NULL)
        PyException_SetTraceback(value, trace);
    Py_XDECREF(type);
    Py_XDECREF(trace);
    return value;
#endif
}

static int fp_raise_now(void *error) {
    PyErr_SetObject((PyObject *)Py_TYPE((PyObject *)error), error);
    Py_DECREF((PyObject *)error);
    return -1;
}

/* Raises `error` in the calling thread, when it next runs Python code. The main thread, in which
 * signal handlers run, gets the same object; any other thread gets a new one of its class. */
static void fp_raise_later(PyObject *error, bool in_main_thread) {
    Py_INCREF(error);
    if (in_main_thread && Py_AddPendingCall(fp_raise_now, error) == 0)
        return;
    PyThreadState_SetAsyncExc(PyThread_get_thread_ident(), (PyObject *)Py_TYPE(error));
    Py_DECREF(error);
}

#endif
