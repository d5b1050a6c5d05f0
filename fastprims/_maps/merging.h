/* merging.h - the place in a program from which a call comes: for merging.pxi. */
#ifndef FASTPRIMS_MERGING_H
#define FASTPRIMS_MERGING_H

#include <Python.h>
#include <frameobject.h>
#include <stdint.h>

/* A thread, one of its frames, and the instruction that this frame executes. The frame is only a
 * number: it keeps nothing alive. */
struct fp_place {
    unsigned long thread;
    uintptr_t frame;
    int instruction;
};

static int fp_instruction_of(PyFrameObject *frame) {
#if PY_VERSION_HEX >= 0x030B0000
    return PyFrame_GetLasti(frame);
#else
    return frame->f_lasti;
#endif
}

/* The place of the innermost Python function, or (`above`) of its caller. Frame 0: there is none.
 */
static struct fp_place fp_place_here(bool above) {
    PyFrameObject *inner = PyEval_GetFrame(), *frame = inner; /* borrowed */
    if (above && inner != NULL)
        frame = PyFrame_GetBack(inner); /* a new reference */
    struct fp_place place = {PyThread_get_thread_ident(), (uintptr_t)frame,
                             frame == NULL ? 0 : fp_instruction_of(frame)};
    if (frame != inner)
        Py_XDECREF((PyObject *)frame); /* the frame is running: this is not its last reference */
    return place;
}

/* True if this thread still executes that instruction, perhaps in an outer frame. */
static bool fp_place_is_active(const struct fp_place *place) {
    PyFrameObject *frame = PyEval_GetFrame();
    Py_XINCREF((PyObject *)frame);
    bool found = false;
    while (frame != NULL) {
        found |= (uintptr_t)frame == place->frame && fp_instruction_of(frame) == place->instruction;
        PyFrameObject *back = found ? NULL : PyFrame_GetBack(frame);
        Py_DECREF((PyObject *)frame);
        frame = back;
    }
    return found;
}

static bool fp_place_is_same(const struct fp_place *a, const struct fp_place *b) {
    return a->frame != 0 && a->thread == b->thread && a->frame == b->frame &&
           a->instruction == b->instruction;
}

#endif
