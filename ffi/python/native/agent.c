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

static PyObject *agent_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords) {
    EngineObject *engine;
    const char *options;
    Py_ssize_t options_len;
    PyObject *tuples;
    if (keywords != NULL && PyDict_Size(keywords) > 0) {
        PyErr_SetString(PyExc_TypeError, "no keywords here");
        return NULL;
    }
    if (!PyArg_ParseTuple(arguments, "O!s#O!", EngineType, &engine, &options, &options_len, &PyTuple_Type, &tuples))
        return NULL;
    Py_ssize_t count = PyTuple_Size(tuples);
    thw_host_tool *tools = PyMem_Calloc(count > 0 ? (size_t)count : 1, sizeof *tools);
    if (tools == NULL) return PyErr_NoMemory();
    for (Py_ssize_t i = 0; i < count; i++) {
        if (!read_tool(PyTuple_GetItem(tuples, i), &tools[i])) {
            PyMem_Free(tools);
            return NULL;
        }
    }
    /* Taken over by the call, whatever comes of it. */
    for (Py_ssize_t i = 0; i < count; i++) Py_INCREF((PyObject *)tools[i].context);
    thw_callbacks callbacks = THW_CALLBACKS_INIT;
    callbacks.tools_len = (uint32_t)count;
    callbacks.tools = tools;
    thw_error error = THW_ERROR_INIT;
    thw_agent *handle;
    Py_BEGIN_ALLOW_THREADS
    handle = thw_agent_new(engine->handle, options, (size_t)options_len, &callbacks, &error);
    Py_END_ALLOW_THREADS
    PyMem_Free(tools);
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
