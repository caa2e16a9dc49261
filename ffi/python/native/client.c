/* Client: replies without an agent. */
#include "native.h"

typedef struct {
    PyObject_HEAD
    thw_client *handle;
    EngineObject *engine;
} ClientObject;

PyTypeObject *ClientType;

static PyObject *client_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords) {
    Parts parts;
    if (!parts_read(&parts, arguments, keywords)) return NULL;
    thw_error error = THW_ERROR_INIT;
    thw_client *handle;
    Py_BEGIN_ALLOW_THREADS
    handle = thw_client_new(parts.engine->handle, parts.options, (size_t)parts.options_len, &parts.given.callbacks, &error);
    Py_END_ALLOW_THREADS
    given_free(&parts.given);
    if (handle == NULL) return failure_raise(&error);
    ClientObject *self = new_object(type);
    if (self == NULL) {
        thw_client_free(handle);
        return NULL;
    }
    self->handle = handle;
    Py_INCREF(parts.engine);
    self->engine = parts.engine;
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
    return text_taken(json, &error);
}

static PyObject *client_stream(PyObject *object, PyObject *messages) {
    ClientObject *self = (ClientObject *)object;
    Py_ssize_t len;
    const char *text = PyUnicode_AsUTF8AndSize(messages, &len);
    if (text == NULL) return NULL;
    thw_error error = THW_ERROR_INIT;
    thw_run *run;
    Py_BEGIN_ALLOW_THREADS
    run = thw_client_stream(self->handle, text, (size_t)len, NULL, &error);
    Py_END_ALLOW_THREADS
    return run == NULL ? failure_raise(&error) : run_new(self->engine, run);
}

static PyMethodDef methods[] = {
    { "chat", client_chat, METH_VARARGS, "Asks for a whole reply: messages as a JSON array, and milliseconds." },
    { "stream", client_stream, METH_O, "Asks for a reply as a run: messages as a JSON array." },
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
