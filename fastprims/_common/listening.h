/* listening.h - what the garbage collector asks of an object that has events: the list of an event
 * owns a reference to the owner of each listener in it, and a hub to those of the ones that are
 * due.
 *
 * Each module has its own copy of these, as of the core: it may use them on its own events only. */
#ifndef FASTPRIMS_LISTENING_H
#define FASTPRIMS_LISTENING_H

#include <Python.h>

#include "wait/fp_hub.h"

struct fp_visit {
    visitproc fn;
    void *arg;
};

static inline int fp_visit_owner(struct fp_listener *l, void *arg) {
    struct fp_visit *v = arg;
    return v->fn(l->owner, v->arg);
}

static inline int fp_visit_listeners(struct fp_event *e, visitproc fn, void *arg) {
    struct fp_visit v = {fn, arg};
    return fp_event_visit_listeners(e, fp_visit_owner, &v);
}

static inline int fp_visit_due(struct fp_hub *h, visitproc fn, void *arg) {
    struct fp_visit v = {fn, arg};
    return fp_hub_visit(h, fp_visit_owner, &v);
}

/* Nobody can use the object any more. */
static inline void fp_drop_listeners(struct fp_event *e) {
    struct fp_listener *l = fp_event_drop_listeners(e), *next;
    for (; l != NULL; l = next) {
        next = l->next;
        Py_DECREF((PyObject *)l->owner);
    }
}

#endif
