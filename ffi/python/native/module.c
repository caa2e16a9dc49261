/* The extension module thalweg._native. */
#include "native.h"

static struct PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "thalweg._native",
    .m_doc = "The C library of thalweg as Python types; the package thalweg is made for people.",
    .m_size = -1,
};

/* The points at which hooks are asked, by their names. */
static bool hooks_init(PyObject *module) {
    static const struct {
        const char *name;
        long point;
    } POINTS[] = {
        { "HOOK_BEFORE_TOOL_CALL", THW_HOOK_BEFORE_TOOL_CALL },
        { "HOOK_AFTER_TOOL_CALL", THW_HOOK_AFTER_TOOL_CALL },
        { "HOOK_TRANSFORM_CONTEXT", THW_HOOK_TRANSFORM_CONTEXT },
        { "HOOK_CONVERT_MESSAGES", THW_HOOK_CONVERT_MESSAGES },
        { "HOOK_AFTER_TURN", THW_HOOK_AFTER_TURN },
        { "HOOK_API_KEY", THW_HOOK_API_KEY },
        { "HOOK_COMPACT", THW_HOOK_COMPACT },
        { "HOOK_OBSERVE", THW_HOOK_OBSERVE },
    };
    for (size_t i = 0; i < sizeof POINTS / sizeof *POINTS; i++)
        if (PyModule_AddIntConstant(module, POINTS[i].name, POINTS[i].point) != 0) return false;
    return true;
}

PyMODINIT_FUNC PyInit__native(void) {
    if (thw_version_number() != THW_VERSION_NUMBER) {
        PyErr_Format(PyExc_ImportError, "built for libthalweg %s, but %s was found", THW_VERSION, thw_version());
        return NULL;
    }
    PyObject *module = PyModule_Create(&definition);
    if (module == NULL) return NULL;
    if (waiter_init() && failure_init(module) && event_init(module) && engine_init(module) && agent_init(module) && client_init(module) &&
        store_init(module) && run_init(module) && reader_init(module) && stream_init(module) && call_init(module) &&
        sequence_init(module) &&
        PyModule_AddStringConstant(module, "VERSION", thw_version()) == 0 &&
        PyModule_AddIntConstant(module, "FOREVER", (long)THW_FOREVER) == 0 &&
        PyModule_AddIntConstant(module, "TOOL_PARALLEL", THW_TOOL_PARALLEL) == 0 &&
        PyModule_AddIntConstant(module, "PENDING", THW_PENDING) == 0 && hooks_init(module) &&
        PyModule_AddIntMacro(module, ALL_EVENTS) == 0 && PyModule_AddIntMacro(module, ONLY_TEXT) == 0 &&
        PyModule_AddIntMacro(module, NOTHING) == 0)
        return module;
    Py_DECREF(module);
    return NULL;
}
