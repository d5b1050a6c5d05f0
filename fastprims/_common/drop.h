/* drop.h - releases an item, without recursing through queues of queues.
 *
 * The destructor of a queue releases its items, which may be the last references to other queues,
 * and so on: a chain of a hundred thousand would overflow the C stack. Beyond a certain depth,
 * items are set aside instead, and the outermost call releases them. (CPython's own trashcan serves
 * only classes with Python attributes, in a way that changes with each version.)
 *
 * State: thread-local. If there is no memory for setting an item aside, it is released at once. */
#ifndef FASTPRIMS_DROP_H
#define FASTPRIMS_DROP_H

#include <Python.h>
#include <stdlib.h>

#include "base/fp_thread.h"

enum { FP_DROP_DEPTH = 16 }; /* for each extension module; a thread may have 64 KiB of stack */

static FP_THREAD_LOCAL struct {
    unsigned depth;
    size_t count, room;
    PyObject **items;
} fp_aside;

static bool fp_set_aside(PyObject *item) {
    if (fp_aside.count == fp_aside.room) {
        size_t room = fp_aside.room ? 2 * fp_aside.room : 64;
        PyObject **items = realloc(fp_aside.items, room * sizeof *items);
        if (items == NULL)
            return false;
        fp_aside.items = items;
        fp_aside.room = room;
    }
    fp_aside.items[fp_aside.count++] = item;
    return true;
}

/* For the destructor of an object with a Python attribute: Cython would release the attribute by
 * itself, and recurse. Instead the destructor keeps it, sets it to None, and drops it. */
static inline PyObject *fp_keep(PyObject *attribute) {
    Py_INCREF(attribute);
    return attribute;
}

static void fp_drop(PyObject *item) {
    if (fp_aside.depth >= FP_DROP_DEPTH && fp_set_aside(item))
        return;
    fp_aside.depth++;
    Py_DECREF(item);
    while (fp_aside.depth == 1 && fp_aside.count != 0)
        Py_DECREF(fp_aside.items[--fp_aside.count]);
    if (--fp_aside.depth == 0 && fp_aside.room != 0) {
        free(fp_aside.items);
        fp_aside.items = NULL;
        fp_aside.room = 0;
    }
}

#endif
