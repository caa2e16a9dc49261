/* Reader: the events of a run for a `for` loop. They are turned into objects one by one, out of a borrowed batch. */
#include "native.h"

typedef struct {
    PyObject_HEAD
    thw_reader *handle;
    RunObject *run;
    /* What is left of the batch; the reader's until its next call. */
    const thw_event *next, *end;
    int what;
    bool is_waiting;
} ReaderObject;

PyTypeObject *ReaderType;

PyObject *reader_new(RunObject *run, int what, bool holds_back) {
    thw_error error = THW_ERROR_INIT;
    thw_reader *handle = thw_run_reader(run->handle, &error);
    if (handle == NULL) return failure_raise(&error);
    if (holds_back && thw_reader_hold_back(handle, &error) < 0) {
        thw_reader_free(handle);
        return failure_raise(&error);
    }
    ReaderObject *self = new_object(ReaderType);
    if (self == NULL) {
        thw_reader_free(handle);
        return NULL;
    }
    self->handle = handle;
    self->what = what;
    Py_INCREF(run);
    self->run = run;
    return (PyObject *)self;
}

static void reader_dealloc(PyObject *object) {
    ReaderObject *self = (ReaderObject *)object;
    thw_reader_free(self->handle);
    Py_XDECREF(self->run);
    free_object(object);
}

/* Gets the next batch. False at the end, and on an error. */
static bool fill(ReaderObject *self) {
    if (self->is_waiting) {
        PyErr_SetString(PyExc_RuntimeError, "another thread waits in this iterator; give each thread its own");
        return false;
    }
    const thw_event *events = NULL;
    size_t count = 0;
    thw_error error = THW_ERROR_INIT;
    /* What is there already is had without giving the GIL away. */
    thw_status status = thw_reader_next(self->handle, 0, &events, &count, &error);
    while (status == THW_PENDING) {
        if (PyErr_CheckSignals() < 0) return false;
        self->is_waiting = true;
        Py_BEGIN_ALLOW_THREADS
        /* In steps, so that Ctrl-C is noticed. */
        status = thw_reader_next(self->handle, 100, &events, &count, &error);
        Py_END_ALLOW_THREADS
        self->is_waiting = false;
    }
    if (status < 0) failure_raise(&error);
    /* The iteration ends; with an exception if the run failed. */
    if (status == THW_EOF) failure_is_none(self->run);
    if (status != THW_OK) return false;
    self->next = events;
    self->end = events + count;
    return true;
}

static PyObject *reader_next(PyObject *object) {
    ReaderObject *self = (ReaderObject *)object;
    for (;;) {
        while (self->next < self->end) {
            const thw_event *event = self->next++;
            if (event_is_wanted(event, self->what)) return event_as(event, self->what);
        }
        if (!fill(self)) return NULL;
    }
}

/* What has come, as a list: an empty one when nothing has, None at the end. */
static PyObject *reader_read(PyObject *object, PyObject *unused) {
    (void)unused;
    ReaderObject *self = (ReaderObject *)object;
    PyObject *list = PyList_New(0);
    if (list == NULL) return NULL;
    while (PyList_Size(list) == 0) {
        const thw_event *events = NULL;
        size_t count = 0;
        thw_error error = THW_ERROR_INIT;
        thw_status status = thw_reader_next(self->handle, 0, &events, &count, &error);
        if (status == THW_PENDING) return list;
        if (status != THW_OK) {
            Py_DECREF(list);
            if (status < 0) return failure_raise(&error);
            if (!failure_is_none(self->run)) return NULL;
            Py_RETURN_NONE;
        }
        for (const thw_event *event = events; event < events + count; event++) {
            if (!event_is_wanted(event, self->what)) continue;
            PyObject *item = event_as(event, self->what);
            bool is_added = item != NULL && PyList_Append(list, item) == 0;
            Py_XDECREF(item);
            if (!is_added) {
                Py_DECREF(list);
                return NULL;
            }
        }
    }
    return list;
}

static PyObject *reader_fileno(PyObject *object, PyObject *unused) {
    (void)unused;
    thw_error error = THW_ERROR_INIT;
    int fd = thw_reader_fd(((ReaderObject *)object)->handle, &error);
    return fd < 0 ? failure_raise(&error) : PyLong_FromLong(fd);
}

static PyMethodDef methods[] = {
    { "read", reader_read, METH_NOARGS, "What has come: nothing, if the list is empty; None at the end." },
    { "fileno", reader_fileno, METH_NOARGS, "The descriptor that is readable when `read` has something." },
    { NULL, NULL, 0, NULL },
};

static PyObject *reader_iter(PyObject *self) {
    Py_INCREF(self);
    return self;
}

static PyType_Slot slots[] = {
    { Py_tp_doc, "An iterator over the events of a run, or their text." },
    { Py_tp_dealloc, reader_dealloc },
    { Py_tp_iter, reader_iter },
    { Py_tp_iternext, reader_next },
    { Py_tp_methods, methods },
    { 0, NULL },
};

static PyType_Spec spec = { "thalweg._native.Reader", sizeof(ReaderObject), 0, Py_TPFLAGS_DEFAULT, slots };

bool reader_init(PyObject *module) {
    return add_type(module, &spec, "Reader", &ReaderType);
}
