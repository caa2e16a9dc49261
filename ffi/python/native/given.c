/* What the program gives an agent or a client: tools, hooks and providers, as functions. */
#include "native.h"

/* Gives a function back; on any thread of the engine. */
static void drop_function(void *function) {
    if (!Py_IsInitialized()) return;
    PyGILState_STATE state = PyGILState_Ensure();
    Py_DECREF((PyObject *)function);
    PyGILState_Release(state);
}

/* One of the tuples (name, description, parameters, flags, function). The texts stay those of the tuple. */
static bool read_tool(PyObject *tuple, thw_host_tool *tool) {
    const char *name, *description, *parameters;
    Py_ssize_t name_len, description_len, parameters_len;
    unsigned int flags;
    PyObject *function;
    if (!PyArg_ParseTuple(tuple, "s#s#s#IO", &name, &name_len, &description, &description_len, &parameters,
                          &parameters_len, &flags, &function))
        return false;
    tool->struct_size = sizeof *tool;
    tool->flags = flags;
    tool->name = (thw_str){ (const uint8_t *)name, (size_t)name_len };
    tool->description = (thw_str){ (const uint8_t *)description, (size_t)description_len };
    tool->parameters = (thw_str){ (const uint8_t *)parameters, (size_t)parameters_len };
    tool->invoke = call_invoke;
    tool->context = function;
    tool->drop = drop_function;
    return true;
}

/* One of the tuples (point, function). */
static bool read_hook(PyObject *tuple, thw_host_hook *hook) {
    unsigned int point;
    PyObject *function;
    if (!PyArg_ParseTuple(tuple, "IO", &point, &function)) return false;
    hook->struct_size = sizeof *hook;
    hook->point = point;
    hook->invoke = call_invoke;
    hook->context = function;
    hook->drop = drop_function;
    return true;
}

/* One of the tuples (name, function). */
static bool read_provider(PyObject *tuple, thw_host_provider *provider) {
    const char *name;
    Py_ssize_t name_len;
    PyObject *function;
    if (!PyArg_ParseTuple(tuple, "s#O", &name, &name_len, &function)) return false;
    provider->struct_size = sizeof *provider;
    provider->name = (thw_str){ (const uint8_t *)name, (size_t)name_len };
    provider->invoke = call_invoke;
    provider->context = function;
    provider->drop = drop_function;
    return true;
}

void given_free(Given *given) {
    PyMem_Free(given->tools);
    PyMem_Free(given->hooks);
    PyMem_Free(given->providers);
}

/* One more than there are, since none is no memory. */
#define ARRAY_OF(tuples, type) PyMem_Calloc((size_t)PyTuple_Size(tuples) + 1, sizeof(type))

bool given_read(Given *given, PyObject *tools, PyObject *hooks, PyObject *providers) {
    given->callbacks = (thw_callbacks)THW_CALLBACKS_INIT;
    given->tools = ARRAY_OF(tools, thw_host_tool);
    given->hooks = ARRAY_OF(hooks, thw_host_hook);
    given->providers = ARRAY_OF(providers, thw_host_provider);
    if (given->tools == NULL || given->hooks == NULL || given->providers == NULL) {
        PyErr_NoMemory();
        return false;
    }
    uint32_t tools_len = (uint32_t)PyTuple_Size(tools), hooks_len = (uint32_t)PyTuple_Size(hooks),
             providers_len = (uint32_t)PyTuple_Size(providers);
    for (uint32_t i = 0; i < tools_len; i++)
        if (!read_tool(PyTuple_GetItem(tools, i), &given->tools[i])) return false;
    for (uint32_t i = 0; i < hooks_len; i++)
        if (!read_hook(PyTuple_GetItem(hooks, i), &given->hooks[i])) return false;
    for (uint32_t i = 0; i < providers_len; i++)
        if (!read_provider(PyTuple_GetItem(providers, i), &given->providers[i])) return false;
    /* Taken over by the agent, whatever comes of it. */
    for (uint32_t i = 0; i < tools_len; i++) Py_INCREF((PyObject *)given->tools[i].context);
    for (uint32_t i = 0; i < hooks_len; i++) Py_INCREF((PyObject *)given->hooks[i].context);
    for (uint32_t i = 0; i < providers_len; i++) Py_INCREF((PyObject *)given->providers[i].context);
    given->callbacks.tools_len = tools_len, given->callbacks.tools = given->tools;
    given->callbacks.hooks_len = hooks_len, given->callbacks.hooks = given->hooks;
    given->callbacks.providers_len = providers_len, given->callbacks.providers = given->providers;
    return true;
}

bool parts_read(Parts *parts, PyObject *arguments, PyObject *keywords) {
    PyObject *tools, *hooks, *providers;
    if (keywords != NULL && PyDict_Size(keywords) > 0) {
        PyErr_SetString(PyExc_TypeError, "no keywords here");
        return false;
    }
    if (!PyArg_ParseTuple(arguments, "O!s#O!O!O!", EngineType, &parts->engine, &parts->options, &parts->options_len,
                          &PyTuple_Type, &tools, &PyTuple_Type, &hooks, &PyTuple_Type, &providers))
        return false;
    if (given_read(&parts->given, tools, hooks, providers)) return true;
    given_free(&parts->given);
    return false;
}
