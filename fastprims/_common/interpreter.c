/* interpreter.c - share(), and the refusal to be imported by a subinterpreter.
 *
 * The other modules keep their classes and hooks in static memory, so they belong to one
 * interpreter. Cython's own guard would give them to the first interpreter that imports them, and
 * refuse the main interpreter after a subinterpreter. Therefore fastprims/__init__.py imports this
 * module first. It depends on nothing else of fastprims and keeps no state, so that any interpreter
 * may load it; it raises in a subinterpreter before any other module is loaded. */
#include <Python.h>

static int check(PyObject *module) {
    (void)module;
    if (PyInterpreterState_Get() == PyInterpreterState_Main())
        return 0;
    PyErr_SetString(PyExc_ImportError,
                    "fastprims works in the main interpreter only, and this is a subinterpreter: "
                    "use threads or processes instead (mod_wsgi: WSGIApplicationGroup %{GLOBAL})");
    return -1;
}

PyDoc_STRVAR(
    share_doc,
    "share(obj, /)\n--\n\n"
    "Tell the interpreter that many threads will use `obj` for long, and return it.\n"
    "\n"
    "On free-threaded CPython 3.14 and newer, threads no longer count their references to\n"
    "it, which costs more than a lookup in a Ctrie as soon as two threads use one object.\n"
    "The price: it is released by the garbage collector, not with its last reference.\n"
    "Elsewhere nothing changes. For maps, queues and the like that live as long as the\n"
    "program.\n"
    "\n"
    "Errors: TypeError: an object that the collector does not know, such as an int or a str.\n"
    "Complexity: O(1).\n"
    "Progress: wait-free.\n"
    "Source: deferred reference counting, PEP 703; PyUnstable_Object_EnableDeferredRefcount.\n"
    "Example:\n"
    "    >>> from fastprims import Ctrie, share\n"
    "    >>> sessions = share(Ctrie())\n"
    "    >>> sessions[\"user\"] = 1\n");

static PyObject *share(PyObject *module, PyObject *o) {
    (void)module;
    if (!PyObject_IS_GC(o))
        return PyErr_Format(PyExc_TypeError,
                            "share() is for objects that the garbage collector knows, such as "
                            "fastprims' structures; %.200s is not",
                            Py_TYPE(o)->tp_name);
#if defined(Py_GIL_DISABLED) && PY_VERSION_HEX >= 0x030E0000
    PyUnstable_Object_EnableDeferredRefcount(o); /* 0: it was enabled before */
#endif
    return Py_NewRef(o);
}

static PyMethodDef functions[] = {
    {"share", share, METH_O, share_doc},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {
    {Py_mod_exec, (void *)check},
#if PY_VERSION_HEX >= 0x030C0000
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
#if PY_VERSION_HEX >= 0x030D0000
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "fastprims._common.interpreter",
    .m_doc = "Importing it raises ImportError in a subinterpreter.",
    .m_methods = functions,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit_interpreter(void);
PyMODINIT_FUNC PyInit_interpreter(void) { return PyModuleDef_Init(&definition); }
