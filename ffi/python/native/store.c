/* Store: a file of conversations. */
#include "native.h"

PyTypeObject *StoreType;

static PyObject *store_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords) {
    const char *path;
    Py_ssize_t len;
    if (keywords != NULL && PyDict_Size(keywords) > 0) {
        PyErr_SetString(PyExc_TypeError, "no keywords here");
        return NULL;
    }
    if (!PyArg_ParseTuple(arguments, "s#", &path, &len)) return NULL;
    thw_error error = THW_ERROR_INIT;
    thw_store *handle;
    Py_BEGIN_ALLOW_THREADS
    handle = thw_store_open(path, (size_t)len, &error);
    Py_END_ALLOW_THREADS
    if (handle == NULL) return failure_raise(&error);
    StoreObject *self = new_object(type);
    if (self == NULL) {
        thw_store_free(handle);
        return NULL;
    }
    self->handle = handle;
    return (PyObject *)self;
}

static void store_dealloc(PyObject *object) {
    thw_store *handle = ((StoreObject *)object)->handle;
    Py_BEGIN_ALLOW_THREADS
    thw_store_free(handle);
    Py_END_ALLOW_THREADS
    free_object(object);
}

static PyObject *store_close(PyObject *object, PyObject *unused) {
    (void)unused;
    StoreObject *self = (StoreObject *)object;
    thw_store *handle = self->handle;
    self->handle = NULL;
    Py_BEGIN_ALLOW_THREADS
    thw_store_free(handle);
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

static PyObject *store_ask(PyObject *object, PyObject *request) {
    thw_store *handle = ((StoreObject *)object)->handle;
    Py_ssize_t len;
    const char *text = PyUnicode_AsUTF8AndSize(request, &len);
    if (text == NULL) return NULL;
    thw_error error = THW_ERROR_INIT;
    char *answer;
    Py_BEGIN_ALLOW_THREADS
    answer = thw_store_ask(handle, text, (size_t)len, &error);
    Py_END_ALLOW_THREADS
    return text_taken(answer, &error);
}

static PyMethodDef methods[] = {
    { "ask", store_ask, METH_O, "Asks for something; request and answer are JSON." },
    { "close", store_close, METH_NOARGS, "Closes the file." },
    { NULL, NULL, 0, NULL },
};

static PyType_Slot slots[] = {
    { Py_tp_doc, "A file of conversations." },
    { Py_tp_new, store_new },
    { Py_tp_dealloc, store_dealloc },
    { Py_tp_methods, methods },
    { 0, NULL },
};

static PyType_Spec spec = { "thalweg._native.Store", sizeof(StoreObject), 0, Py_TPFLAGS_DEFAULT, slots };

bool store_init(PyObject *module) {
    return add_type(module, &spec, "Store", &StoreType);
}
