/* topic.h - the functions that a topic trie needs from Python: text, subscribers, lists. */
#ifndef FASTPRIMS_TOPIC_H
#define FASTPRIMS_TOPIC_H

#include <Python.h>

#include "_maps/handles.h"
#include "maps/fp_topic.h"

/* Set once, before the first trie. */
static uint64_t fp_topic_key[2];

static uint64_t fp_hash_token(const char *token, size_t length) {
    return fp_topic_hash(token, length, fp_topic_key);
}

static const struct fp_topic_host fp_subscriber_host = {
    .hash = fp_hash_token,
    .retain = fp_object_retain,
    .release = fp_object_release,
    .memory = {FP_OBJECT_ALLOC, fp_object_free},
};

/* The UTF-8 of a str. It lies in the str itself, or in an object of its own, `*kept`. False: an
 * exception is set. */
static inline bool fp_text(PyObject *o, const char **text, size_t *length, PyObject **kept) {
    *kept = NULL;
    if (FP_LIKELY(PyUnicode_CheckExact(o) && PyUnicode_IS_COMPACT_ASCII(o))) {
        *text = (const char *)PyUnicode_1BYTE_DATA(o);
        *length = (size_t)PyUnicode_GET_LENGTH(o);
        return true;
    }
    *kept = PyUnicode_AsUTF8String(o); /* TypeError if `o` is no str */
    if (*kept == NULL)
        return false;
    *text = PyBytes_AS_STRING(*kept);
    *length = (size_t)PyBytes_GET_SIZE(*kept);
    return true;
}

/* A list of the subscribers found; their references pass to it. NULL: no memory. */
static inline PyObject *fp_list_of(struct fp_words *found) {
    PyObject *list = PyList_New((Py_ssize_t)found->count);
    for (size_t i = 0; i < found->count; i++)
        if (list != NULL)
            PyList_SET_ITEM(list, (Py_ssize_t)i, fp_object(found->at[i]));
        else
            fp_drop(fp_object(found->at[i]));
    fp_words_free(found);
    return list;
}

static int fp_traverse_topic(struct fp_topic *t, visitproc fn, void *arg) {
    struct fp_gc_visit v = {fn, arg};
    return t != NULL ? fp_topic_visit(t, fp_gc_visit_one, &v) : 0;
}

/* For tp_clear: as fp_clear_ctrie. */
static void fp_clear_topic(struct fp_topic *t) {
    if (t == NULL || !fp_topic_hold(t))
        return;
    fp_topic_clear(t);
    fp_topic_end(t);
}

#endif
