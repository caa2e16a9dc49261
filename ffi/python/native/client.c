/* Client: replies without an agent. */
#include "native.h"

typedef struct {
    PyObject_HEAD
    thw_client *handle;
    EngineObject *engine;
} ClientObject;

PyTypeObject *ClientType;

static PyObject *client_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords) {
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
    thw_client *handle;
    Py_BEGIN_ALLOW_THREADS
    handle = thw_client_new(engine->handle, options, (size_t)options_len, &given.callbacks, &error);
    Py_END_ALLOW_THREADS
    given_free(&given);
    if (handle == NULL) return failure_raise(&error);
    ClientObject *self = new_object(type);
    if (self == NULL) {
        thw_client_free(handle);
        return NULL;
    }
    self->handle = handle;
    Py_INCREF(engine);
    self->engine = engine;
    return (PyObject *)self;
}

static void client_dealloc(PyObject *object) {
    ClientObject *self = (ClientObject *)object;
    thw_client *handle = self->handle;
    Py_BEGIN_ALLOW_THREADS
    thw_client_free(handle);
    Py_END_ALLOW_THREADS
    Py_XDECREF(self->engine);
    free_object(object);
}

static PyObject *client_chat(PyObject *object, PyObject *arguments) {
    const char *messages;
    Py_ssize_t len;
    unsigned int timeout_ms;
    if (!PyArg_ParseTuple(arguments, "s#I", &messages, &len, &timeout_ms)) return NULL;
    thw_client *handle = ((ClientObject *)object)->handle;
    thw_error error = THW_ERROR_INIT;
    char *json;
    Py_BEGIN_ALLOW_THREADS
    json = thw_client_chat(handle, messages, (size_t)len, timeout_ms, &error);
    Py_END_ALLOW_THREADS
    if (json == NULL) return failure_raise(&error);
    PyObject *text = PyUnicode_FromString(json);
    thw_free(json);
    return text;
}

static PyMethodDef methods[] = {
    { "chat", client_chat, METH_VARARGS, "Asks for a whole reply: messages as a JSON array, and milliseconds." },
    { NULL, NULL, 0, NULL },
};

static PyType_Slot slots[] = {
    { Py_tp_doc, "A model that is asked for one reply at a time." },
    { Py_tp_new, client_new },
    { Py_tp_dealloc, client_dealloc },
    { Py_tp_methods, methods },
    { 0, NULL },
};

static PyType_Spec spec = { "thalweg._native.Client", sizeof(ClientObject), 0, Py_TPFLAGS_DEFAULT, slots };

bool client_init(PyObject *module) {
    return add_type(module, &spec, "Client", &ClientType);
}
