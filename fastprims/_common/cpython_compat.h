/* cpython_compat.h - parts of CPython's interface that Cython cannot express.
 *
 * fp_set_gc: Cython's collector functions visit Python attributes only, but items live in C memory.
 * The given functions replace them, and call them. To be used before the first instance exists.
 *
 * fp_set_fastcall: puts a function in front of a method. The function handles the most frequent
 * call; it passes any other call to the method that Cython compiled, which handles all arguments.
 * Saves 5 ns of a 20 ns call. */
#ifndef FASTPRIMS_SLOTS_H
#define FASTPRIMS_SLOTS_H

#include <Python.h>

#include "base/fp_config.h"

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

static inline void fp_set_dealloc(PyObject *type, destructor dealloc, destructor *old) {
    *old = ((PyTypeObject *)type)->tp_dealloc;
    ((PyTypeObject *)type)->tp_dealloc = dealloc;
}

/* Returns -1 with an exception set if the method has another calling convention. */
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

/* The same for self[key]. Classes that derive from this one later inherit it; those of the same
 * module have derived already. */
static inline void fp_set_subscript(PyObject *type, binaryfunc fast, binaryfunc *old) {
    PyMappingMethods *mapping = ((PyTypeObject *)type)->tp_as_mapping;
    *old = mapping->mp_subscript;
    mapping->mp_subscript = fast;
}

/* Gives a class what it would get by inheriting from Mapping, but not by registering: `match` takes
 * it for a mapping, reversed() refuses it, and C does not take it for a sequence. Classes that
 * derive from this one later inherit that. */
static inline int fp_set_mapping(PyObject *type) {
    PyTypeObject *t = (PyTypeObject *)type;
    t->tp_flags |= Py_TPFLAGS_MAPPING;
    t->tp_as_sequence->sq_item = NULL;
    t->tp_as_sequence->sq_ass_item = NULL;
    if (PyDict_SetItemString(t->tp_dict, "__reversed__", Py_None) < 0)
        return -1;
    PyType_Modified(t);
    return 0;
}

/* If a class's docstring starts with "Name(arguments)", makes that the signature that inspect
 * shows: CPython wants a line of two dashes after it. (It allows only literals as defaults.) */
static inline int fp_publish_signature(PyTypeObject *t) {
    const char *doc = t->tp_doc, *blank = doc == NULL ? NULL : strstr(doc, "\n\n");
    if (blank == NULL || *doc == '\n' || blank[-1] != ')')
        return 0;
    size_t first = (size_t)(blank - doc), rest = strlen(blank);
    char *text = malloc(first + 3 + rest + 1); /* for as long as the class lives: for ever */
    if (text == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    memcpy(text, doc, first);
    memcpy(text + first, "\n--", 3);
    memcpy(text + first + 3, blank, rest + 1);
    PyObject *shown = PyUnicode_FromString(blank + 2);
    int failed = shown == NULL || PyDict_SetItemString(t->tp_dict, "__doc__", shown) < 0;
    Py_XDECREF(shown);
    t->tp_doc = text;
    return failed ? -1 : 0;
}

static inline int fp_own_methods(PyObject *type, PyObject *names);

/* Gives a class its public name, also as the __module__ that its objects find, as those of a class
 * made in Python do; and its own descriptors of inherited methods. Returns -1 on error. */
static inline int fp_publish(PyObject *type, const char *public_name, PyObject *names) {
    PyTypeObject *t = (PyTypeObject *)type;
    t->tp_name = public_name;
    const char *dot = strrchr(public_name, '.');
    PyObject *home = PyUnicode_FromStringAndSize(public_name, dot - public_name);
    int failed = home == NULL || PyDict_SetItemString(t->tp_dict, "__module__", home) < 0;
    Py_XDECREF(home);
    return failed || fp_publish_signature(t) < 0 ? -1 : fp_own_methods(type, names);
}

/* The interpreter's fast paths for method calls require that a descriptor belong to the object's
 * own class, not to a base. */
static inline int fp_own_methods(PyObject *type, PyObject *names) {
    PyTypeObject *t = (PyTypeObject *)type;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(names); i++) {
        PyObject *name = PyTuple_GET_ITEM(names, i);
        PyObject *inherited = PyObject_GetAttr(type, name);
        if (inherited == NULL)
            return -1;
        PyObject *own = PyDescr_NewMethod(t, ((PyMethodDescrObject *)inherited)->d_method);
        Py_DECREF(inherited);
        int failed = own == NULL || PyDict_SetItem(t->tp_dict, name, own) < 0;
        Py_XDECREF(own);
        if (failed)
            return -1;
    }
    PyType_Modified(t);
    return 0;
}

/* Makes instances of `type`, and of classes that will derive from it, find the attributes of
 * `hidden` directly after those of `type`. dir(type) goes by the bases and does not list them. */
static inline int fp_inherit_secretly(PyObject *type, PyObject *hidden) {
    PyTypeObject *t = (PyTypeObject *)type;
    Py_ssize_t count = PyTuple_GET_SIZE(t->tp_mro);
    PyObject *longer = PyTuple_New(count + 1), *old = t->tp_mro;
    if (longer == NULL)
        return -1;
    for (Py_ssize_t i = 0; i <= count; i++) {
        PyObject *c = i == 1 ? hidden : PyTuple_GET_ITEM(old, i == 0 ? 0 : i - 1);
        Py_INCREF(c);
        PyTuple_SET_ITEM(longer, i, c);
    }
    t->tp_mro = longer;
    Py_DECREF(old);
    PyType_Modified(t);
    return 0;
}

/* Takes an attribute out of a class, for which its name is then free. Returns a new reference. */
static inline PyObject *fp_take_attribute(PyObject *type, PyObject *name) {
    PyTypeObject *t = (PyTypeObject *)type;
    PyObject *found = PyObject_GetItem(t->tp_dict, name);
    if (found != NULL && PyDict_DelItem(t->tp_dict, name) < 0)
        Py_CLEAR(found);
    PyType_Modified(t);
    return found;
}

/* A class attribute that Cython refuses to compile into an extension class. */
static inline int fp_set_attribute(PyObject *type, const char *name, PyObject *value) {
    if (PyDict_SetItemString(((PyTypeObject *)type)->tp_dict, name, value) < 0)
        return -1;
    PyType_Modified((PyTypeObject *)type);
    return 0;
}

/* True if the object's class was made in Python. */
static inline bool fp_is_heap_type(PyObject *o) {
    return PyType_HasFeature(Py_TYPE(o), Py_TPFLAGS_HEAPTYPE);
}

/* The version of the object's class. It changes whenever the class or a base of it does, to a
 * number that no class ever had; it is 0 if nothing was looked up in the class since. The
 * interpreter's own caches rely on it. */
static inline uint64_t fp_class_version(PyObject *o) {
    PyTypeObject *t = Py_TYPE(o);
#ifdef Py_GIL_DISABLED
    return _Py_atomic_load_uint_relaxed(&t->tp_version_tag);
#else
    return t->tp_version_tag;
#endif
}

/* Two versions that no class has. */
#define FP_UNCHECKED ((uint64_t)1 << 40)
#define FP_OPEN ((uint64_t)1 << 41)

/* Calls a function as a method, with the arguments of a fast call. */
static inline PyObject *fp_call_method(PyObject *function, PyObject *self, PyObject *const *args,
                                       Py_ssize_t n, PyObject *names) {
    enum { MOST = 8 };
    PyObject *all[1 + MOST];
    Py_ssize_t count = n + (names == NULL ? 0 : PyTuple_GET_SIZE(names));
    if (count > MOST) {
        PyErr_SetString(PyExc_TypeError, "too many arguments");
        return NULL;
    }
    all[0] = self;
    for (Py_ssize_t i = 0; i < count; i++)
        all[1 + i] = args[i];
    return PyObject_Vectorcall(function, all, (size_t)n + 1, names);
}

/* Before 3.12 the collector may run when an object is made, and with it any Python code. */
static inline int fp_pause_collector(void) {
#if PY_VERSION_HEX < 0x030C0000
    return PyGC_Disable();
#else
    return 0;
#endif
}
static inline void fp_resume_collector(int was_enabled) {
    if (was_enabled)
        PyGC_Enable();
}

/* Lets Cython raise the exception that is set already. */
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

/* fp_wait calls these around a sleep: they release the GIL and take it back. */
static inline void *fp_host_save(void) { return PyEval_SaveThread(); }
static inline void fp_host_restore(void *state) { PyEval_RestoreThread((PyThreadState *)state); }

/* The value of an int of one digit, as nearly all are. False: it is no such int. */
static inline bool fp_small_int(PyObject *o, int64_t *value) {
#if PY_VERSION_HEX >= 0x030C0000
    if (PyLong_CheckExact(o) && PyUnstable_Long_IsCompact((PyLongObject *)o)) {
        *value = PyUnstable_Long_CompactValue((PyLongObject *)o);
        return true;
    }
#endif
    (void)o, (void)value;
    return false;
}

/* Sets an attribute as object.__setattr__ does, even if the class overrides that. */
static inline int fp_set_plainly(PyObject *o, PyObject *name, PyObject *value) {
    return PyObject_GenericSetAttr(o, name, value);
}

/* Likewise deletes one. */
static inline int fp_delete_plainly(PyObject *o, PyObject *name) {
    return PyObject_GenericSetAttr(o, name, NULL);
}

/* The dictionary of an object's attributes, and another one in its place, even if the class
 * overrides `__dict__`. */
static inline PyObject *fp_attributes(PyObject *o) { return PyObject_GenericGetDict(o, NULL); }
static inline int fp_set_attributes(PyObject *o, PyObject *attributes) {
    return PyObject_GenericSetDict(o, attributes, NULL);
}

/* True if the class, or a base of it that was made in Python, defines __len__. */
static inline bool fp_overrides_len(PyObject *o, PyObject *base) {
    return Py_TYPE(o)->tp_as_sequence->sq_length !=
           ((PyTypeObject *)base)->tp_as_sequence->sq_length;
}

/* Deletes an attribute that may be missing. */
static inline void fp_remove_plainly(PyObject *o, PyObject *name) {
    if (fp_delete_plainly(o, name) < 0)
        PyErr_Clear();
}

/* For Cython: takes over the caller's reference. */
static inline PyObject *fp_steal(PyObject *o) { return o; }

/* The reverse: a new reference to the object, which Cython does not count. */
static inline PyObject *fp_new_reference(PyObject *o) {
    Py_INCREF(o);
    return o;
}

/* A new reference to None, True or False, which are immortal from 3.12 on. */
static inline PyObject *fp_constant(PyObject *o) {
#if PY_VERSION_HEX < 0x030C0000
    Py_INCREF(o);
#endif
    return o;
}

/* A hidden list belongs to the caller only: the collector cannot see it, and so no other code can,
 * until it is shown. Meanwhile the caller may fill and empty its buffer without the collector's
 * knowledge, and code that runs in between (the collector's callbacks, comparisons, finalizers)
 * cannot change it. */
static inline void fp_hide_list(PyObject *list) { PyObject_GC_UnTrack(list); }
static inline void fp_show_list(PyObject *list, size_t size) {
    Py_SET_SIZE((PyVarObject *)list, (Py_ssize_t)size); /* the unfilled end is cut off */
    PyObject_GC_Track(list);
}
static inline uint64_t *fp_list_buffer(PyObject *list) {
    return (uint64_t *)(void *)((PyListObject *)list)->ob_item;
}

#ifdef Py_GIL_DISABLED
/* True if this thread made the object and holds the only reference. */
static inline bool fp_is_own(PyObject *o) {
    return _Py_atomic_load_uintptr_relaxed(&o->ob_tid) == _Py_ThreadId() &&
           _Py_atomic_load_uint32_relaxed(&o->ob_ref_local) == 1 &&
           _Py_atomic_load_ssize_relaxed(&o->ob_ref_shared) == 0;
}
#endif

/* True if the caller holds the only reference. False if that is uncertain. */
static inline bool fp_is_unshared(PyObject *o) {
#if !defined(Py_GIL_DISABLED)
    return Py_REFCNT(o) == 1;
#elif PY_VERSION_HEX >= 0x030E0000
    return PyUnstable_Object_IsUniquelyReferenced(o);
#else
    return fp_is_own(o);
#endif
}

/* Moves all items of a hidden list to the front of a longer one that is still unfilled. */
static inline void fp_move_items(PyObject *to, PyObject *from) {
    if (Py_SIZE(from)) /* an empty list has no memory, and its null pointer may not be passed on */
        memcpy(((PyListObject *)to)->ob_item, ((PyListObject *)from)->ob_item,
               (size_t)Py_SIZE(from) * sizeof(PyObject *));
    Py_SET_SIZE((PyVarObject *)from, 0);
}

/* Forgets the first items of a hidden list: their references have passed to another owner. */
static inline void fp_forget_front(PyObject *list, size_t count) {
    PyObject **items = ((PyListObject *)list)->ob_item;
    size_t rest = (size_t)Py_SIZE(list) - count;
    if (rest) /* as above */
        memmove(items, items + count, rest * sizeof *items);
    Py_SET_SIZE((PyVarObject *)list, (Py_ssize_t)rest);
}

#endif
