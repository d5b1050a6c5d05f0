/* _handles.h - objects as the handles of a core structure: counting, and garbage collection. */
#ifndef FASTPRIMS_HANDLES_H
#define FASTPRIMS_HANDLES_H

#include <Python.h>

#include "_drop.h"

static inline PyObject *fp_object(uint64_t handle) { return (PyObject *)(uintptr_t)handle; }

static void fp_object_retain(uint64_t o) { Py_INCREF(fp_object(o)); }
static void fp_object_release(uint64_t o) { fp_drop(fp_object(o)); }

/* ThreadSanitizer follows the C library's allocator. Of the interpreter's it knows nothing, and
 * would take the use of memory by its next owner for a race with the last one. */
#if defined(__SANITIZE_THREAD__)
#define FP_OBJECT_ALLOC malloc
#define FP_OBJECT_FREE free
#else
#define FP_OBJECT_ALLOC PyMem_Malloc
#define FP_OBJECT_FREE PyMem_Free
#endif

static void fp_object_free(void *p, size_t bytes) {
    (void)bytes;
    FP_OBJECT_FREE(p);
}

/* For tp_traverse and tp_clear. */
struct fp_gc_visit {
    visitproc fn;
    void *arg;
};

static int fp_gc_visit_one(uint64_t *handle, void *arg) {
    struct fp_gc_visit *v = (struct fp_gc_visit *)arg;
    return v->fn(fp_object(*handle), v->arg);
}

/* Garbage: all handles become None, and nobody will look. They are released afterwards,
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

static void fp_gc_drop_taken(struct fp_gc_taken *taken) {
    for (size_t i = 0; i < taken->count; i++)
        fp_drop(taken->object[i]);
    free(taken->object);
}

#endif
