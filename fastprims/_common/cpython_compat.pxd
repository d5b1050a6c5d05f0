# Declarations for what Cython cannot express (cpython_compat.h, drop.h, handover.h and listening.h
# have the comments), and functions of Python.h that the modules call with their plain C types.

from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint64_t

from fastprims._common.core cimport fp_event, fp_hub

cdef extern from "Python.h":
    ctypedef struct PyTypeObject:
        PyTypeObject* tp_base
    PyTypeObject* Py_TYPE(PyObject*)
    void INCREF "Py_INCREF"(PyObject*)
    void DECREF "Py_DECREF"(PyObject*)
    void XDECREF "Py_XDECREF"(PyObject*)
    int PyErr_CheckSignals()
    void PyErr_SetString(object, const char*)
    void PyErr_WriteUnraisable(PyObject*)
    bint PyErr_ExceptionMatches(object)
    double PyFloat_AsDouble(object) except? -1
    list PyList_New(Py_ssize_t)
    long long PyLong_AsLongLongAndOverflow(object, int*) except? -1
    PyObject* PyLong_FromLongLong(long long)
    Py_ssize_t PyNumber_AsSsize_t(object, void*) except? -1
    PyObject* PyObject_CallOneArg(object, object) noexcept
    Py_ssize_t PyObject_Hash(PyObject*) except? -1
    Py_ssize_t raw_hash "PyObject_Hash"(PyObject*) noexcept
    int PyObject_RichCompareBool(PyObject*, PyObject*, int) noexcept
    list PySequence_List(object)
    object PyUnicode_FromObject(object)
    int PyDict_Contains(PyObject*, object) except -1
    PyObject* PyImport_GetModuleDict()
    PyObject* PyThreadState_GetDict() noexcept
    unsigned long PyThread_get_thread_ident()
    int enter_recursion "Py_EnterRecursiveCall"(const char*) except *  # any number but 0
    void leave_recursion "Py_LeaveRecursiveCall"()

cdef extern from "_common/cpython_compat.h":
    ctypedef PyObject* (*fp_fastcall)(PyObject*, PyObject* const*, Py_ssize_t, PyObject*) noexcept
    ctypedef int (*visitproc)(PyObject*, void*) noexcept
    ctypedef int (*traverseproc)(PyObject*, visitproc, void*) noexcept
    ctypedef void (*destructor)(PyObject*) noexcept
    ctypedef int (*inquiry)(PyObject*) noexcept
    ctypedef PyObject* (*binaryfunc)(PyObject*, PyObject*) noexcept

    enum: FREE_THREADED "FP_FREE_THREADED"
    const char* COMPILER "FP_COMPILER"
    const uint64_t UNCHECKED "FP_UNCHECKED"
    const uint64_t OPEN "FP_OPEN"

    # Classes.
    void fp_set_gc(object, traverseproc, inquiry, traverseproc*, inquiry*)
    void fp_set_dealloc(object, destructor, destructor*)
    int fp_set_fastcall(object, const char*, fp_fastcall, fp_fastcall*) except -1
    void fp_set_subscript(object, binaryfunc, binaryfunc*)
    int fp_set_mapping(object) except -1
    int fp_publish(object, const char*, tuple) except -1
    int fp_own_methods(object, tuple) except -1
    int fp_inherit_secretly(object, object) except -1
    object fp_take_attribute(object, object)
    int fp_set_attribute(object, const char*, object) except -1
    bint fp_is_heap_type(PyObject*)
    uint64_t fp_class_version(PyObject*)

    # Attributes and calls.
    int fp_set_plainly(object, object, object) except -1
    int fp_delete_plainly(object, object) except -1
    void fp_remove_plainly(object, object)
    object fp_attributes(object)
    int fp_set_attributes(object, object) except -1
    bint fp_overrides_len(object, object)
    PyObject* fp_call_method(PyObject*, PyObject*, PyObject* const*, Py_ssize_t,
                             PyObject*) except NULL
    int fp_propagate() except -1

    # References and values.
    object fp_steal(PyObject*)
    PyObject* fp_new_reference(object)
    PyObject* fp_constant(object)
    bint fp_small_int(PyObject*, int64_t*) noexcept

    # Lists.
    void fp_hide_list(list)
    void fp_show_list(list, size_t)
    bint fp_is_unshared(list)
    uint64_t* fp_list_buffer(list)
    void fp_move_items(list, list)
    void fp_forget_front(list, size_t)

    # The interpreter.
    void* fp_host_save()
    void fp_host_restore(void*)
    int fp_pause_collector()
    void fp_resume_collector(int)

cdef extern from "_common/drop.h":
    void fp_drop(PyObject*)
    PyObject* fp_keep(PyObject*)

cdef extern from "_common/handover.h":
    enum: HAND_OVER "FP_HAND_OVER"
    void fp_hand_over(PyObject*, const unsigned char*)
    PyObject* fp_receive(PyObject*, unsigned char*)
    void fp_hand_over_all(uint64_t*, size_t, const unsigned char*)
    void fp_receive_all(uint64_t*, size_t, unsigned char*)

cdef extern from "_common/listening.h":
    int fp_visit_listeners(fp_event*, visitproc, void*)
    int fp_visit_due(fp_hub*, visitproc, void*)
    void fp_drop_listeners(fp_event*)
