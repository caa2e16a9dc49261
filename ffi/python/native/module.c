/* The extension module thalweg._native. */
#include "native.h"

static struct PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "thalweg._native",
    .m_doc = "The C library of thalweg as Python types; the package thalweg is made for people.",
    .m_size = -1,
};

PyMODINIT_FUNC PyInit__native(void) {
    if (thw_version_number() != THW_VERSION_NUMBER) {
        PyErr_Format(PyExc_ImportError, "built for libthalweg %s, but %s was found", THW_VERSION, thw_version());
        return NULL;
    }
    PyObject *module = PyModule_Create(&definition);
    if (module == NULL) return NULL;
    if (failure_init(module) && event_init(module) && engine_init(module) && agent_init(module) && run_init(module) &&
        reader_init(module) && stream_init(module) && call_init(module) &&
        PyModule_AddStringConstant(module, "VERSION", thw_version()) == 0 &&
        PyModule_AddIntConstant(module, "FOREVER", (long)THW_FOREVER) == 0 &&
        PyModule_AddIntConstant(module, "TOOL_PARALLEL", THW_TOOL_PARALLEL) == 0 &&
        PyModule_AddIntMacro(module, ALL_EVENTS) == 0 && PyModule_AddIntMacro(module, ONLY_TEXT) == 0 &&
        PyModule_AddIntMacro(module, NOTHING) == 0)
        return module;
    Py_DECREF(module);
    return NULL;
}
