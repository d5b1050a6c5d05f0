/* _slots.h - what Cython has no words for.
 *
 * fp_set_gc: Cython visits Python attributes only; items live in C memory. The given functions go
 * in front of those it wrote, which they call. To be used before the first instance exists.
 *
 * fp_set_fastcall: puts a function in front of a method, for the call it is made for; for any
 * other call it hands over to the method that Cython compiled (full argument handling). Worth
 * 5 ns of a 20 ns call. */
#ifndef FASTPRIMS_SLOTS_H
#define FASTPRIMS_SLOTS_H

#include <Python.h>

#include "fp_config.h"

_Static_assert(sizeof(PyObject *) == sizeof(uint64_t), "items are handled as 64-bit words");

typedef PyObject *(*fp_fastcall)(PyObject *, PyObject *const *, Py_ssize_t, PyObject *);

static inline void fp_set_gc(PyObject *type, traverseproc traverse, inquiry clear,
                             traverseproc *old_traverse, inquiry *old_clear) {
    PyTypeObject *t = (PyTypeObject *)type;
    *old_traverse = t->tp_traverse;
    *old_clear = t->tp_clear;
    t->tp_traverse = traverse;
    t->tp_clear = clear;
}

/* -1 with an exception set if the method is not what is expected. */
static inline int fp_set_fastcall(PyObject *type, const char *name, fp_fastcall fast,
                                  fp_fastcall *old) {
    PyObject *descriptor = PyObject_GetAttrString(type, name);
    if (descriptor == NULL)
        return -1;
    int result = -1;
    if (Py_IS_TYPE(descriptor, &PyMethodDescr_Type)) {
        PyMethodDef *method = ((PyMethodDescrObject *)descriptor)->d_method;
        if (method->ml_flags == (METH_FASTCALL | METH_KEYWORDS)) {
            *old = (fp_fastcall)(void (*)(void))method->ml_meth;
            method->ml_meth = (PyCFunction)(void (*)(void))fast;
            result = 0;
        }
    }
    if (result != 0)
        PyErr_Format(PyExc_SystemError, "%s has another calling convention than expected", name);
    Py_DECREF(descriptor);
    return result;
}

/* A class attribute that Cython refuses to compile into an extension class. */
static inline int fp_set_attribute(PyObject *type, const char *name, PyObject *value) {
    if (PyDict_SetItemString(((PyTypeObject *)type)->tp_dict, name, value) < 0)
        return -1;
    PyType_Modified((PyTypeObject *)type);
    return 0;
}

/* Lets Cython raise what is set already. */
static inline int fp_propagate(void) { return -1; }

#ifdef Py_GIL_DISABLED
enum { FP_FREE_THREADED = 1 };
#else
enum { FP_FREE_THREADED = 0 };
#endif

#if defined(__clang__)
#define FP_COMPILER "clang " __clang_version__
#elif defined(__GNUC__)
#define FP_COMPILER "gcc " __VERSION__
#else
#define FP_COMPILER "other"
#endif

/* What fp_wait does around a sleep. */
static inline void *fp_host_save(void) { return PyEval_SaveThread(); }
static inline void fp_host_restore(void *state) { PyEval_RestoreThread((PyThreadState *)state); }
static inline bool fp_host_interrupted(void) { return PyErr_CheckSignals() != 0; }

/* For Cython: an object whose reference the caller hands over. */
static inline PyObject *fp_steal(PyObject *o) { return o; }

/* The buffer of a list that nobody else has seen. */
static inline uint64_t *fp_list_buffer(PyObject *list) {
    return (uint64_t *)(void *)((PyListObject *)list)->ob_item;
}
static inline const uint64_t *fp_tuple_buffer(PyObject *tuple) {
    return (const uint64_t *)(const void *)((PyTupleObject *)tuple)->ob_item;
}

/* Cuts the unfilled end off such a list. */
static inline void fp_list_cut(PyObject *list, size_t size) {
    Py_SET_SIZE((PyVarObject *)list, (Py_ssize_t)size);
}

#endif
