/* handles.h - objects as the handles of a core structure: counting, and garbage collection. */
#ifndef FASTPRIMS_HANDLES_H
#define FASTPRIMS_HANDLES_H

#include <Python.h>

#include "_common/drop.h"

static inline PyObject *fp_object(uint64_t handle) { return (PyObject *)(uintptr_t)handle; }

static void fp_object_retain(uint64_t o) { Py_INCREF(fp_object(o)); }
static void fp_object_release(uint64_t o) { fp_drop(fp_object(o)); }

/* ThreadSanitizer follows the C library's allocator. It does not know the interpreter's allocator,
 * and would report the use of memory by its next owner as a race with the last one. */
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

/* For tp_traverse. */
struct fp_gc_visit {
    visitproc fn;
    void *arg;
};

static int fp_gc_visit_one(uint64_t handle, void *arg) {
    struct fp_gc_visit *v = (struct fp_gc_visit *)arg;
    return v->fn(fp_object(handle), v->arg);
}

#endif
