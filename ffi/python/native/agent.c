/* Agent: a model, its tools, and the conversation with it. */
#include "native.h"

PyTypeObject *AgentType;

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

/* What an agent calls in Python; the texts stay those of the tuples. */
typedef struct {
    thw_callbacks callbacks;
    thw_host_tool *tools;
    thw_host_hook *hooks;
    thw_host_provider *providers;
} Given;

static void given_free(Given *given) {
    PyMem_Free(given->tools);
    PyMem_Free(given->hooks);
    PyMem_Free(given->providers);
}

/* One more than there are, since none is no memory. */
#define ARRAY_OF(tuples, type) PyMem_Calloc((size_t)PyTuple_Size(tuples) + 1, sizeof(type))

static bool given_read(Given *given, PyObject *tools, PyObject *hooks, PyObject *providers) {
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

static PyObject *agent_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords) {
    EngineObject *engine;
    const char *options;
    Py_ssize_t options_len;
    PyObject *tools, *hooks, *providers;
    if (keywords != NULL && PyDict_Size(keywords) > 0) {
        PyErr_SetString(PyExc_TypeError, "no keywords here");
        return NULL;
    }
    if (!PyArg_ParseTuple(arguments, "O!s#O!O!O!", EngineType, &engine, &options, &options_len, &PyTuple_Type, &tools,
                          &PyTuple_Type, &hooks, &PyTuple_Type, &providers))
        return NULL;
    Given given;
    if (!given_read(&given, tools, hooks, providers)) {
        given_free(&given);
        return NULL;
    }
    thw_error error = THW_ERROR_INIT;
    thw_agent *handle;
    Py_BEGIN_ALLOW_THREADS
    handle = thw_agent_new(engine->handle, options, (size_t)options_len, &given.callbacks, &error);
    Py_END_ALLOW_THREADS
    given_free(&given);
    if (handle == NULL) return failure_raise(&error);
    AgentObject *self = new_object(type);
    if (self == NULL) {
        thw_agent_free(handle);
        return NULL;
    }
    self->handle = handle;
    Py_INCREF(engine);
    self->engine = engine;
    return (PyObject *)self;
}

static void agent_dealloc(PyObject *object) {
    AgentObject *self = (AgentObject *)object;
    thw_agent *handle = self->handle;
    Py_BEGIN_ALLOW_THREADS
    thw_agent_free(handle);
    Py_END_ALLOW_THREADS
    Py_XDECREF(self->engine);
    free_object(object);
}

typedef thw_run *start_function(thw_agent *, const char *, size_t, const thw_run_options *, thw_error *);

static PyObject *start(PyObject *object, PyObject *prompt, start_function *function) {
    AgentObject *self = (AgentObject *)object;
    Py_ssize_t len;
    const char *text = PyUnicode_AsUTF8AndSize(prompt, &len);
    if (text == NULL) return NULL;
    thw_error error = THW_ERROR_INIT;
    thw_run *run;
    Py_BEGIN_ALLOW_THREADS
    run = function(self->handle, text, (size_t)len, NULL, &error);
    Py_END_ALLOW_THREADS
    return run == NULL ? failure_raise(&error) : run_new(self->engine, run);
}

static PyObject *agent_prompt(PyObject *object, PyObject *prompt) {
    return start(object, prompt, thw_agent_prompt);
}

static PyObject *agent_prompt_json(PyObject *object, PyObject *messages) {
    return start(object, messages, thw_agent_prompt_json);
}

typedef thw_status say_function(thw_agent *, const char *, size_t, thw_error *);

static PyObject *say(PyObject *object, PyObject *said, say_function *function) {
    Py_ssize_t len;
    const char *text = PyUnicode_AsUTF8AndSize(said, &len);
    if (text == NULL) return NULL;
    thw_error error = THW_ERROR_INIT;
    if (function(((AgentObject *)object)->handle, text, (size_t)len, &error) < 0) return failure_raise(&error);
    Py_RETURN_NONE;
}

static PyObject *agent_steer(PyObject *object, PyObject *text) {
    return say(object, text, thw_agent_steer);
}

static PyObject *agent_follow_up(PyObject *object, PyObject *text) {
    return say(object, text, thw_agent_follow_up);
}

static PyObject *agent_conversation(PyObject *object, PyObject *unused) {
    (void)unused;
    thw_error error = THW_ERROR_INIT;
    char *json = thw_agent_conversation(((AgentObject *)object)->handle, &error);
    if (json == NULL) return failure_raise(&error);
    PyObject *text = PyUnicode_FromString(json);
    thw_free(json);
    return text;
}

static PyObject *agent_set_conversation(PyObject *object, PyObject *json) {
    Py_ssize_t len;
    const char *text = PyUnicode_AsUTF8AndSize(json, &len);
    if (text == NULL) return NULL;
    thw_error error = THW_ERROR_INIT;
    if (thw_agent_set_conversation(((AgentObject *)object)->handle, text, (size_t)len, &error) < 0)
        return failure_raise(&error);
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    { "prompt", agent_prompt, METH_O, "Starts a run that answers a text." },
    { "prompt_json", agent_prompt_json, METH_O, "Starts a run that answers messages, given as a JSON array." },
    { "steer", agent_steer, METH_O, "Says something before the next request." },
    { "follow_up", agent_follow_up, METH_O, "Says something once the run would end." },
    { "conversation", agent_conversation, METH_NOARGS, "The conversation as JSON." },
    { "set_conversation", agent_set_conversation, METH_O, "Sets the conversation." },
    { NULL, NULL, 0, NULL },
};

static PyType_Slot slots[] = {
    { Py_tp_doc, "A model, its tools, and the conversation with it." },
    { Py_tp_new, agent_new },
    { Py_tp_dealloc, agent_dealloc },
    { Py_tp_methods, methods },
    { 0, NULL },
};

static PyType_Spec spec = { "thalweg._native.Agent", sizeof(AgentObject), 0, Py_TPFLAGS_DEFAULT, slots };

bool agent_init(PyObject *module) {
    return add_type(module, &spec, "Agent", &AgentType);
}
