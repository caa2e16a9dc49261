/* Agent: a model, its tools, and the conversation with it. */
#include "native.h"

PyTypeObject *AgentType;

static PyObject *agent_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords) {
    Parts parts;
    if (!parts_read(&parts, arguments, keywords)) return NULL;
    thw_error error = THW_ERROR_INIT;
    thw_agent *handle;
    Py_BEGIN_ALLOW_THREADS
    handle = thw_agent_new(parts.engine->handle, parts.options, (size_t)parts.options_len, &parts.given.callbacks, &error);
    Py_END_ALLOW_THREADS
    given_free(&parts.given);
    if (handle == NULL) return failure_raise(&error);
    AgentObject *self = new_object(type);
    if (self == NULL) {
        thw_agent_free(handle);
        return NULL;
    }
    self->handle = handle;
    Py_INCREF(parts.engine);
    self->engine = parts.engine;
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

static PyObject *agent_steer_json(PyObject *object, PyObject *messages) {
    return say(object, messages, thw_agent_steer_json);
}

static PyObject *agent_follow_up_json(PyObject *object, PyObject *messages) {
    return say(object, messages, thw_agent_follow_up_json);
}

static PyObject *agent_abort(PyObject *object, PyObject *unused) {
    (void)unused;
    thw_agent_abort(((AgentObject *)object)->handle);
    Py_RETURN_NONE;
}

static PyObject *agent_is_running(PyObject *object, void *closure) {
    (void)closure;
    return PyBool_FromLong(thw_agent_is_running(((AgentObject *)object)->handle));
}

typedef char *tell_function(thw_agent *, thw_error *);

static PyObject *tell(PyObject *object, tell_function *function) {
    thw_error error = THW_ERROR_INIT;
    return text_taken(function(((AgentObject *)object)->handle, &error), &error);
}

static PyObject *agent_conversation(PyObject *object, PyObject *unused) {
    (void)unused;
    return tell(object, thw_agent_conversation);
}

static PyObject *agent_settings(PyObject *object, PyObject *unused) {
    (void)unused;
    return tell(object, thw_agent_settings);
}

static PyObject *agent_queued(PyObject *object, PyObject *unused) {
    (void)unused;
    return tell(object, thw_agent_queued);
}

static PyObject *agent_session(PyObject *object, PyObject *unused) {
    (void)unused;
    return tell(object, thw_agent_session);
}

static PyObject *agent_keep(PyObject *object, PyObject *arguments) {
    StoreObject *store;
    const char *options;
    Py_ssize_t len;
    if (!PyArg_ParseTuple(arguments, "O!s#", StoreType, &store, &options, &len)) return NULL;
    thw_agent *handle = ((AgentObject *)object)->handle;
    thw_error error = THW_ERROR_INIT;
    char *json;
    Py_BEGIN_ALLOW_THREADS
    json = thw_agent_keep(handle, store->handle, options, (size_t)len, &error);
    Py_END_ALLOW_THREADS
    return text_taken(json, &error);
}

static PyObject *agent_reset(PyObject *object, PyObject *unused) {
    (void)unused;
    thw_agent *handle = ((AgentObject *)object)->handle;
    thw_error error = THW_ERROR_INIT;
    thw_status status;
    Py_BEGIN_ALLOW_THREADS
    status = thw_agent_reset(handle, &error);
    Py_END_ALLOW_THREADS
    if (status < 0) return failure_raise(&error);
    Py_RETURN_NONE;
}

static PyObject *agent_clear_queued(PyObject *object, PyObject *arguments) {
    int steering, follow_ups;
    if (!PyArg_ParseTuple(arguments, "pp", &steering, &follow_ups)) return NULL;
    thw_agent_clear_queued(((AgentObject *)object)->handle, steering, follow_ups);
    Py_RETURN_NONE;
}

/* A tuple of those that an agent is made with. */
static PyObject *agent_set_tools(PyObject *object, PyObject *tools) {
    if (!PyTuple_Check(tools)) {
        PyErr_SetString(PyExc_TypeError, "a tuple of tools is wanted");
        return NULL;
    }
    PyObject *none = PyTuple_New(0);
    if (none == NULL) return NULL;
    Given given;
    bool is_read = given_read(&given, tools, none, none);
    Py_DECREF(none);
    if (!is_read) {
        given_free(&given);
        return NULL;
    }
    thw_agent *handle = ((AgentObject *)object)->handle;
    thw_error error = THW_ERROR_INIT;
    thw_status status;
    Py_BEGIN_ALLOW_THREADS
    status = thw_agent_set_tools(handle, &given.callbacks, &error);
    Py_END_ALLOW_THREADS
    given_free(&given);
    if (status < 0) return failure_raise(&error);
    Py_RETURN_NONE;
}

/* The options as JSON, hooks and providers. */
static PyObject *agent_set_provider(PyObject *object, PyObject *arguments) {
    const char *options;
    Py_ssize_t len;
    PyObject *hooks, *providers;
    if (!PyArg_ParseTuple(arguments, "s#O!O!", &options, &len, &PyTuple_Type, &hooks, &PyTuple_Type, &providers)) return NULL;
    PyObject *none = PyTuple_New(0);
    if (none == NULL) return NULL;
    Given given;
    bool is_read = given_read(&given, none, hooks, providers);
    Py_DECREF(none);
    if (!is_read) {
        given_free(&given);
        return NULL;
    }
    thw_agent *handle = ((AgentObject *)object)->handle;
    thw_error error = THW_ERROR_INIT;
    thw_status status;
    Py_BEGIN_ALLOW_THREADS
    status = thw_agent_set_provider(handle, options, (size_t)len, &given.callbacks, &error);
    Py_END_ALLOW_THREADS
    given_free(&given);
    if (status < 0) return failure_raise(&error);
    Py_RETURN_NONE;
}

static PyObject *agent_answer(PyObject *object, PyObject *decisions) {
    return start(object, decisions, thw_agent_answer);
}

static PyObject *agent_configure(PyObject *object, PyObject *settings) {
    return say(object, settings, thw_agent_configure);
}

static PyObject *agent_set_conversation(PyObject *object, PyObject *json) {
    Py_ssize_t len;
    const char *text = PyUnicode_AsUTF8AndSize(json, &len);
    if (text == NULL) return NULL;
    thw_agent *handle = ((AgentObject *)object)->handle;
    thw_error error = THW_ERROR_INIT;
    thw_status status;
    Py_BEGIN_ALLOW_THREADS
    status = thw_agent_set_conversation(handle, text, (size_t)len, &error);
    Py_END_ALLOW_THREADS
    if (status < 0) return failure_raise(&error);
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    { "prompt", agent_prompt, METH_O, "Starts a run that answers a text." },
    { "prompt_json", agent_prompt_json, METH_O, "Starts a run that answers messages, given as a JSON array." },
    { "steer", agent_steer, METH_O, "Says something before the next request." },
    { "follow_up", agent_follow_up, METH_O, "Says something once the run would end." },
    { "steer_json", agent_steer_json, METH_O, "Says messages, a JSON array, before the next request." },
    { "follow_up_json", agent_follow_up_json, METH_O, "Says messages, a JSON array, once the run would end." },
    { "abort", agent_abort, METH_NOARGS, "Stops the run that goes on." },
    { "settings", agent_settings, METH_NOARGS, "What goes into requests, as JSON." },
    { "configure", agent_configure, METH_O, "Changes some of it, a JSON object." },
    { "set_tools", agent_set_tools, METH_O, "Offers other tools." },
    { "set_provider", agent_set_provider, METH_VARARGS, "Asks another provider: options as JSON, hooks, providers." },
    { "queued", agent_queued, METH_NOARGS, "What was said and has not come in, as JSON." },
    { "clear_queued", agent_clear_queued, METH_VARARGS, "Forgets what steers, and what follows up." },
    { "keep", agent_keep, METH_VARARGS, "Keeps the conversation in a store; options and answer are JSON." },
    { "session", agent_session, METH_NOARGS, "Where the conversation is kept, as JSON." },
    { "reset", agent_reset, METH_NOARGS, "Forgets the conversation and what waits." },
    { "answer", agent_answer, METH_O, "Goes on with them: decisions by id, as JSON." },
    { "conversation", agent_conversation, METH_NOARGS, "The conversation as JSON." },
    { "set_conversation", agent_set_conversation, METH_O, "Sets the conversation." },
    { NULL, NULL, 0, NULL },
};

static PyGetSetDef getters[] = {
    { "is_running", agent_is_running, NULL, "Whether a run goes on.", NULL },
    { NULL, NULL, NULL, NULL, NULL },
};

static PyType_Slot slots[] = {
    { Py_tp_doc, "A model, its tools, and the conversation with it." },
    { Py_tp_new, agent_new },
    { Py_tp_dealloc, agent_dealloc },
    { Py_tp_methods, methods },
    { Py_tp_getset, getters },
    { 0, NULL },
};

static PyType_Spec spec = { "thalweg._native.Agent", sizeof(AgentObject), 0, Py_TPFLAGS_DEFAULT, slots };

bool agent_init(PyObject *module) {
    return add_type(module, &spec, "Agent", &AgentType);
}
