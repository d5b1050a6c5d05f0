/* _interpreter.c - refuses to be imported by any interpreter of the process but the main one.
 *
 * The other modules keep their classes and hooks in static memory, so they belong to one
 * interpreter; Cython's own guard would take the first that comes for that one, and turn the main
 * interpreter away after a subinterpreter. This module comes first (see __init__.py), keeps
 * nothing, and may be loaded by all, so each gets its answer, and nothing else is loaded before it.
 */
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
    .m_name = "fastprims._interpreter",
    .m_doc = "Importing it raises ImportError in a subinterpreter.",
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__interpreter(void);
PyMODINIT_FUNC PyInit__interpreter(void) { return PyModuleDef_Init(&definition); }
