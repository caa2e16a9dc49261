/* Engine: threads, connections, plugins. */
#include "native.h"

PyTypeObject *EngineType;

static PyObject *engine_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords) {
    const char *options;
    Py_ssize_t options_len;
    if (keywords != NULL && PyDict_Size(keywords) > 0) {
        PyErr_SetString(PyExc_TypeError, "no keywords here");
        return NULL;
    }
    if (!PyArg_ParseTuple(arguments, "s#", &options, &options_len)) return NULL;
    thw_error error = THW_ERROR_INIT;
    thw_engine *handle;
    Py_BEGIN_ALLOW_THREADS
    handle = thw_engine_new(options, (size_t)options_len, &error);
    Py_END_ALLOW_THREADS
    if (handle == NULL) return failure_raise(&error);
    EngineObject *self = new_object(type);
    if (self == NULL) {
        thw_engine_free(handle);
        return NULL;
    }
    self->handle = handle;
    return (PyObject *)self;
}

static void close_engine(EngineObject *self) {
    thw_engine *handle = self->handle;
    self->handle = NULL;
    /* Tools that run want the GIL to come to their end. */
    Py_BEGIN_ALLOW_THREADS
    thw_engine_free(handle);
    Py_END_ALLOW_THREADS
    stream_end_all(self);
}

static void engine_dealloc(PyObject *object) {
    close_engine((EngineObject *)object);
    free_object(object);
}

static PyObject *engine_close(PyObject *object, PyObject *unused) {
    (void)unused;
    close_engine((EngineObject *)object);
    Py_RETURN_NONE;
}

static PyObject *engine_load_plugin(PyObject *object, PyObject *path) {
    Py_ssize_t len;
    const char *text = PyUnicode_AsUTF8AndSize(path, &len);
    if (text == NULL) return NULL;
    thw_error error = THW_ERROR_INIT;
    if (thw_engine_load_plugin(((EngineObject *)object)->handle, text, (size_t)len, &error) < 0) return failure_raise(&error);
    Py_RETURN_NONE;
}

static PyObject *engine_budgets(PyObject *object, PyObject *unused) {
    (void)unused;
    thw_error error = THW_ERROR_INIT;
    return text_taken(thw_engine_budgets(((EngineObject *)object)->handle, &error), &error);
}

static PyObject *engine_forget_budget(PyObject *object, PyObject *name) {
    Py_ssize_t len;
    const char *text = PyUnicode_AsUTF8AndSize(name, &len);
    if (text == NULL) return NULL;
    thw_error error = THW_ERROR_INIT;
    if (thw_engine_forget_budget(((EngineObject *)object)->handle, text, (size_t)len, &error) < 0)
        return failure_raise(&error);
    Py_RETURN_NONE;
}

static PyObject *engine_fileno(PyObject *object, PyObject *unused) {
    (void)unused;
    thw_error error = THW_ERROR_INIT;
    int fd = thw_engine_fd(((EngineObject *)object)->handle, &error);
    return fd < 0 ? failure_raise(&error) : PyLong_FromLong(fd);
}

static PyObject *engine_drain(PyObject *object, PyObject *unused) {
    (void)unused;
    if (!stream_drain((EngineObject *)object)) return NULL;
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    { "close", engine_close, METH_NOARGS, "Ends the engine and all its runs." },
    { "load_plugin", engine_load_plugin, METH_O, "Loads a plugin by its absolute path." },
    { "budgets", engine_budgets, METH_NOARGS, "Its budgets by name, as JSON." },
    { "forget_budget", engine_forget_budget, METH_O, "Forgets one by its name." },
    { "fileno", engine_fileno, METH_NOARGS, "The descriptor that is readable when `drain` has something to do." },
    { "drain", engine_drain, METH_NOARGS, "Hands the events that came to their streams." },
    { NULL, NULL, 0, NULL },
};

static PyType_Slot slots[] = {
    { Py_tp_doc, "Threads, connections and plugins." },
    { Py_tp_new, engine_new },
    { Py_tp_dealloc, engine_dealloc },
    { Py_tp_methods, methods },
    { 0, NULL },
};

static PyType_Spec spec = { "thalweg._native.Engine", sizeof(EngineObject), 0, Py_TPFLAGS_DEFAULT, slots };

bool engine_init(PyObject *module) {
    return add_type(module, &spec, "Engine", &EngineType);
}
