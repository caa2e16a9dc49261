/* Run: all turns of one prompt. */
#include "native.h"

PyTypeObject *RunType;

/* Takes over `handle`. */
PyObject *run_new(EngineObject *engine, thw_run *handle) {
    RunObject *self = new_object(RunType);
    if (self == NULL) {
        thw_run_abort(handle);
        thw_run_free(handle);
        return NULL;
    }
    self->handle = handle;
    Py_INCREF(engine);
    self->engine = engine;
    return (PyObject *)self;
}

static void run_dealloc(PyObject *object) {
    RunObject *self = (RunObject *)object;
    thw_run *handle = self->handle;
    self->handle = NULL;
    Py_BEGIN_ALLOW_THREADS
    if (handle != NULL) thw_run_abort(handle);
    thw_run_free(handle);
    Py_END_ALLOW_THREADS
    Py_XDECREF(self->engine);
    free_object(object);
}

static PyObject *run_abort(PyObject *object, PyObject *unused) {
    (void)unused;
    thw_run_abort(((RunObject *)object)->handle);
    Py_RETURN_NONE;
}

/* In steps, so that Ctrl-C is noticed. */
#define STEP_MS 100

static PyObject *run_wait(PyObject *object, PyObject *argument) {
    thw_run *handle = ((RunObject *)object)->handle;
    unsigned long left = PyLong_AsUnsignedLong(argument);
    if (PyErr_Occurred()) return NULL;
    for (;;) {
        unsigned long step = left < STEP_MS ? left : STEP_MS;
        thw_error error = THW_ERROR_INIT;
        thw_status status;
        Py_BEGIN_ALLOW_THREADS
        status = thw_run_wait(handle, (uint32_t)step, &error);
        Py_END_ALLOW_THREADS
        if (status < 0) return failure_raise_of_run(&error, handle);
        if (status == THW_OK) Py_RETURN_TRUE;
        if (PyErr_CheckSignals() < 0) return NULL;
        if (left != THW_FOREVER) left -= step;
        if (left == 0) Py_RETURN_FALSE;
    }
}

static PyObject *run_is_over(PyObject *object, void *closure) {
    (void)closure;
    return PyBool_FromLong(thw_run_wait(((RunObject *)object)->handle, 0, NULL) != THW_PENDING);
}

static PyObject *lent(PyObject *object, thw_status (*get)(thw_run *, thw_str *, thw_error *)) {
    thw_error error = THW_ERROR_INIT;
    thw_str text = { NULL, 0 };
    thw_status status = get(((RunObject *)object)->handle, &text, &error);
    if (status < 0) return failure_raise(&error);
    if (status == THW_PENDING) Py_RETURN_NONE;
    return text_of(text);
}

static PyObject *run_text(PyObject *object, PyObject *unused) {
    (void)unused;
    return lent(object, thw_run_text);
}

static PyObject *run_result(PyObject *object, PyObject *unused) {
    (void)unused;
    return lent(object, thw_run_result);
}

static PyObject *run_reader(PyObject *object, PyObject *arguments) {
    int what, holds_back;
    if (!PyArg_ParseTuple(arguments, "ip", &what, &holds_back)) return NULL;
    return reader_new((RunObject *)object, what, holds_back);
}

static PyObject *run_stream(PyObject *object, PyObject *arguments) {
    PyObject *loop;
    int what;
    if (!PyArg_ParseTuple(arguments, "Oi", &loop, &what)) return NULL;
    return stream_new((RunObject *)object, loop, what);
}

static PyObject *run_partial(PyObject *object, PyObject *unused) {
    (void)unused;
    thw_run *handle = ((RunObject *)object)->handle;
    thw_error error = THW_ERROR_INIT;
    char *json;
    Py_BEGIN_ALLOW_THREADS
    json = thw_run_partial(handle, &error);
    Py_END_ALLOW_THREADS
    return text_taken(json, &error);
}

static PyMethodDef methods[] = {
    { "partial", run_partial, METH_NOARGS, "The reply that is coming in, as JSON." },
    { "abort", run_abort, METH_NOARGS, "Stops the run." },
    { "wait", run_wait, METH_O, "Waits so many milliseconds for the end; raises how it failed." },
    { "text", run_text, METH_NOARGS, "The text of the last reply; None while the run goes on." },
    { "result", run_result, METH_NOARGS, "The result as JSON; None while the run goes on." },
    { "reader", run_reader, METH_VARARGS, "An iterator over the events, from the first; the run may wait for it." },
    { "stream", run_stream, METH_VARARGS, "An asynchronous iterator over the events, from the first." },
    { NULL, NULL, 0, NULL },
};

static PyGetSetDef getters[] = {
    { "is_over", run_is_over, NULL, "Whether it has ended.", NULL },
    { NULL, NULL, NULL, NULL, NULL },
};

static PyType_Slot slots[] = {
    { Py_tp_doc, "All turns of one prompt. Aborted when nothing holds it any more." },
    { Py_tp_dealloc, run_dealloc },
    { Py_tp_methods, methods },
    { Py_tp_getset, getters },
    { 0, NULL },
};

static PyType_Spec spec = { "thalweg._native.Run", sizeof(RunObject), 0, Py_TPFLAGS_DEFAULT, slots };

bool run_init(PyObject *module) {
    return add_type(module, &spec, "Run", &RunType);
}
