/* _compare.h - what a Ctrie has to know about the objects that are its keys and values.
 *
 * fp_object_same answers without running anybody's code: it knows the comparisons of the exact
 * built-in types that are made in C alone, and of classes that inherit `object`'s, which compare by
 * identity. For all others it says -1. */
#ifndef FASTPRIMS_COMPARE_H
#define FASTPRIMS_COMPARE_H

#include <Python.h>

#include "_drop.h"
#include "_slots.h"
#include "fp_ctrie.h"

static inline PyObject *fp_object(uint64_t handle) { return (PyObject *)(uintptr_t)handle; }

static inline bool fp_is_plain(PyTypeObject *t) {
    return t == &PyLong_Type || t == &PyUnicode_Type || t == &PyBytes_Type || t == &PyFloat_Type;
}

/* The caller has seen that they are not identical. */
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

static void fp_object_retain(uint64_t o) { Py_INCREF(fp_object(o)); }
static void fp_object_release(uint64_t o) { fp_drop(fp_object(o)); }
static void fp_object_free(void *p, size_t bytes) {
    (void)bytes;
    PyMem_Free(p);
}

static const struct fp_ctrie_host fp_object_host = {
    .same = fp_object_same,
    .equal = fp_object_equal,
    .retain = fp_object_retain,
    .release = fp_object_release,
    .memory = {PyMem_Malloc, fp_object_free},
};

/* For tp_traverse and tp_clear. */
struct fp_gc_visit {
    visitproc fn;
    void *arg;
};

static int fp_gc_visit_one(uint64_t *handle, void *arg) {
    struct fp_gc_visit *v = (struct fp_gc_visit *)arg;
    return v->fn(fp_object(*handle), v->arg);
}

static int fp_traverse_ctrie(struct fp_ctrie *t, visitproc fn, void *arg) {
    struct fp_gc_visit v = {fn, arg};
    return t != NULL ? fp_ctrie_visit(t, fp_gc_visit_one, &v) : 0;
}

/* Garbage: all keys and values become None, and nobody will look. They are released afterwards,
 * since that may run any code. */
struct fp_gc_taken {
    PyObject **object;
    size_t count, room;
};

static int fp_gc_take_one(uint64_t *handle, void *arg) {
    struct fp_gc_taken *taken = (struct fp_gc_taken *)arg;
    if (fp_object(*handle) == Py_None)
        return 0;
    if (taken->count == taken->room) {
        size_t room = taken->room ? 2 * taken->room : 256;
        PyObject **more = (PyObject **)realloc(taken->object, room * sizeof *more);
        if (more == NULL)
            return 1; /* the rest is for the next collection */
        taken->object = more;
        taken->room = room;
    }
    taken->object[taken->count++] = fp_object(*handle);
    Py_INCREF(Py_None);
    *handle = (uint64_t)(uintptr_t)Py_None;
    return 0;
}

static void fp_clear_ctrie(struct fp_ctrie *t) {
    struct fp_gc_taken taken = {NULL, 0, 0};
    if (t != NULL)
        fp_ctrie_visit(t, fp_gc_take_one, &taken);
    for (size_t i = 0; i < taken.count; i++)
        fp_drop(taken.object[i]);
    free(taken.object);
}

#endif
