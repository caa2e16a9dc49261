/* Errors: a thw_error becomes an exception of thalweg.errors. */
#include "native.h"

static PyObject *make;

/* Raises `error` with the JSON of the run that it ended, if there is one; always NULL. */
static PyObject *raise(const thw_error *error, PyObject *result) {
    PyObject *message = PyUnicode_DecodeUTF8((const char *)error->message, error->message_len, "replace");
    if (message == NULL) return NULL;
    if (make == NULL) {
        PyErr_SetObject(PyExc_RuntimeError, message);
    } else {
        PyObject *failure = PyObject_CallFunction(make, "iOiOLO", (int)error->code, message, (int)error->http_status,
                                                  error->flags & THW_ERROR_RETRYABLE ? Py_True : Py_False,
                                                  (long long)error->retry_after_ms, result);
        if (failure != NULL) PyErr_SetObject((PyObject *)Py_TYPE(failure), failure);
        Py_XDECREF(failure);
    }
    Py_DECREF(message);
    return NULL;
}

PyObject *failure_raise(const thw_error *error) {
    return raise(error, Py_None);
}

PyObject *text_taken(char *text, const thw_error *error) {
    if (text == NULL) return failure_raise(error);
    PyObject *taken = PyUnicode_FromString(text);
    thw_free(text);
    return taken;
}

PyObject *failure_raise_of_run(const thw_error *error, thw_run *run) {
    thw_str text = { NULL, 0 };
    if (thw_run_result(run, &text, NULL) != THW_OK) return raise(error, Py_None);
    PyObject *result = text_of(text);
    if (result == NULL) return NULL;
    raise(error, result);
    Py_DECREF(result);
    return NULL;
}

/* At the end of its events: whether a run ended well, or was stopped by its own program; else raises how it failed. */
bool failure_is_none(RunObject *run) {
    thw_error error = THW_ERROR_INIT;
    thw_status status = thw_run_wait(run->handle, 0, &error);
    if (status >= 0 || status == THW_E_CANCELLED) return true;
    failure_raise_of_run(&error, run->handle);
    return false;
}

static PyObject *set_failure(PyObject *module, PyObject *function) {
    (void)module;
    Py_INCREF(function);
    Py_XDECREF(make);
    make = function;
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    { "set_failure", set_failure, METH_O, "Sets the function that makes an exception of an error." },
    { NULL, NULL, 0, NULL },
};

bool failure_init(PyObject *module) {
    return PyModule_AddFunctions(module, functions) == 0;
}
