/* compare.h - the functions that a Ctrie calls for the objects that are its keys and values.
 *
 * fp_object_same answers without running Python code. It compares objects of those exact built-in
 * types whose comparison is C code only, and of classes that inherit the comparison of `object`,
 * which is by identity. For all others it answers -1. */
#ifndef FASTPRIMS_COMPARE_H
#define FASTPRIMS_COMPARE_H

#include <Python.h>

#include "_common/cpython_compat.h"
#include "_maps/handles.h"
#include "maps/fp_ctrie.h"

static inline bool fp_is_plain(PyTypeObject *t) {
    return t == &PyLong_Type || t == &PyUnicode_Type || t == &PyBytes_Type || t == &PyFloat_Type;
}

/* The caller has checked that they are not identical. */
static int fp_object_same(uint64_t left, uint64_t right) {
    PyObject *a = fp_object(left), *b = fp_object(right);
    PyTypeObject *s = Py_TYPE(a), *t = Py_TYPE(b);
    int64_t m, n;
    if (s != t)
        return -1;
    if (fp_small_int(a, &m) && fp_small_int(b, &n))
        return m == n;
    if (fp_is_plain(s)) {
        PyObject *answer = s->tp_richcompare(a, b, Py_EQ); /* True or False: nothing can fail */
        int same = answer == Py_True;
        Py_DECREF(answer);
        return same;
    }
    return s->tp_richcompare == PyBaseObject_Type.tp_richcompare ? 0 : -1;
}

static int fp_object_equal(uint64_t a, uint64_t b) {
    return PyObject_RichCompareBool(fp_object(a), fp_object(b), Py_EQ);
}

static const struct fp_ctrie_host fp_object_host = {
    .same = fp_object_same,
    .equal = fp_object_equal,
    .retain = fp_object_retain,
    .release = fp_object_release,
    .memory = {FP_OBJECT_ALLOC, fp_object_free},
};

static int fp_traverse_ctrie(struct fp_ctrie *t, visitproc fn, void *arg) {
    struct fp_gc_visit v = {fn, arg};
    return t != NULL ? fp_ctrie_visit(t, fp_gc_visit_one, &v) : 0;
}

/* For tp_clear. Other threads may run, and one of them may find the map by gc.get_objects() at this
 * moment. Versions do not change, so emptying the live maps breaks each cycle (DESIGN.md). If there
 * is no memory for that, the next collection does it. */
static void fp_clear_ctrie(struct fp_ctrie *t) {
    if (t == NULL || !fp_ctrie_hold(t))
        return;
    fp_ctrie_clear(t);
    fp_ctrie_end(t);
}

#endif
