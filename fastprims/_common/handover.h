/* handover.h - references that one thread takes and another thread releases.
 *
 * On a free-threaded build an object belongs to the thread that made it and has two reference
 * counts: one that only its owner changes, and one that all other threads share. A producer's
 * Py_INCREF adds to the first count. The consumer can only subtract from the second, which would
 * fall below zero; so the interpreter queues the object for its owner, under a lock, and the owner
 * merges the counts later. That takes longer than the whole passage through a ring.
 *
 * fp_hand_over adds to the shared count in the first place, as every thread but the owner does
 * anyway, and the consumer's release ends there. The atomic addition would be wasted where one
 * thread puts and gets. So a structure has a flag, `crossing`: fp_receive sets it for good when it
 * meets an item of another thread, and fp_hand_over goes by it.
 *
 * The flag decides about speed only: any thread reads and writes it, relaxed, and whatever a thread
 * reads, the sum of both counts is right.
 *
 * Rejected: fp_receive could make the consumer the owner of an object whose only reference it has
 * got. But the owner before it may be reading the object's counts in a container that held it
 * until now, and would store a count of its own after the change.
 *
 * Build with -DFP_HAND_OVER=0 to count by Py_INCREF always. */
#ifndef FASTPRIMS_HANDOVER_H
#define FASTPRIMS_HANDOVER_H

#include <Python.h>

#include <stdbool.h>

#include "_common/cpython_compat.h"

/* CPython 3.13 to 3.15 count alike. A later version gets Py_INCREF until somebody has looked. */
#ifndef FP_HAND_OVER
#if defined(Py_GIL_DISABLED) && PY_VERSION_HEX < 0x03100000
#define FP_HAND_OVER 1
#else
#define FP_HAND_OVER 0
#endif
#endif

#if FP_HAND_OVER
_Static_assert(_Py_REF_SHARED_SHIFT == 2 && sizeof(((PyObject *)0)->ob_ref_shared) == 8 &&
                   sizeof(((PyObject *)0)->ob_ref_local) == 4,
               "the reference counts have another layout than expected: build with "
               "-DFP_HAND_OVER=0");

#define FP_ONE_SHARED ((Py_ssize_t)1 << _Py_REF_SHARED_SHIFT)

/* Orders as those of Py_INCREF: whoever adds has a reference, and whoever releases the last one
 * (Py_DECREF) synchronizes with the releases before. */
static inline void fp_add_shared(PyObject *o, Py_ssize_t n) {
    _Py_atomic_add_ssize(&o->ob_ref_shared, n * FP_ONE_SHARED);
}

static inline bool fp_is_immortal(PyObject *o) {
    return _Py_atomic_load_uint32_relaxed(&o->ob_ref_local) == _Py_IMMORTAL_REFCNT_LOCAL;
}
#endif

/* A new reference, for the structure. If that refuses it, Py_DECREF releases it, however it was
 * counted: the sum is right, and the caller has another reference.
 *
 * If this thread has the only reference, as its caller's variable or temporary object, no other
 * thread can change the shared count, and a plain store will do, which does not wait for the stores
 * before it. (A thread that finds the object in a container by chance, as the interpreter's
 * lock-free reads do, refuses an object whose shared count is zero.) */
static inline void fp_hand_over(PyObject *o, const unsigned char *crossing) {
#if FP_HAND_OVER
    if (_Py_atomic_load_uint8_relaxed(crossing) != 0) {
        if (fp_is_own(o))
            _Py_atomic_store_ssize_relaxed(&o->ob_ref_shared, FP_ONE_SHARED);
        else if (!fp_is_immortal(o))
            fp_add_shared(o, 1);
        return;
    }
#endif
    (void)crossing;
    Py_INCREF(o);
}

/* For a reference that comes out of the structure. A thread that gets its own object counts the
 * reference as its own again: otherwise each passage would move one from its count to the shared
 * one, until the counts are merged, and all counting of this object is atomic from then on. */
static inline PyObject *fp_receive(PyObject *o, unsigned char *crossing) {
#if FP_HAND_OVER
    uintptr_t owner = _Py_atomic_load_uintptr_relaxed(&o->ob_tid);
    if (_Py_atomic_load_uint8_relaxed(crossing) == 0) {
        if (owner != _Py_ThreadId() && owner != 0) /* 0: immortal, or the counts are merged */
            _Py_atomic_store_uint8_relaxed(crossing, 1);
    } else if (owner == _Py_ThreadId()) {
        Py_ssize_t shared = _Py_atomic_load_ssize_relaxed(&o->ob_ref_shared);
        if (shared >> _Py_REF_SHARED_SHIFT > 0 && !fp_is_immortal(o)) {
            Py_INCREF(o);
            fp_add_shared(o, -1);
        }
    }
#endif
    (void)crossing;
    return o;
}

/* As fp_hand_over, for references that the caller gives away. */
static inline void fp_hand_over_all(uint64_t *items, size_t n, const unsigned char *crossing) {
#if FP_HAND_OVER
    if (_Py_atomic_load_uint8_relaxed(crossing) == 0)
        return;
    for (size_t i = 0; i < n; i++) {
        PyObject *o = (PyObject *)(uintptr_t)items[i];
        fp_hand_over(o, crossing);
        Py_DECREF(o); /* not the last one */
    }
#endif
    (void)items, (void)n, (void)crossing;
}

static inline void fp_receive_all(uint64_t *items, size_t n, unsigned char *crossing) {
#if FP_HAND_OVER
    for (size_t i = 0; i < n; i++)
        fp_receive((PyObject *)(uintptr_t)items[i], crossing);
#endif
    (void)items, (void)n, (void)crossing;
}

#endif
