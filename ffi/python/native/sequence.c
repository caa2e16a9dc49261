/* Crew and Sequence: objects of Python in a row, some of them still on their way; see thalweg.h.
 *
 * A reader is its own awaitable, as a Stream is: an object that is there already costs neither a coroutine nor a trip through
 * the loop. Whoever waits has a future, which is set once, by what comes next; what comes behind it wakes nobody.
 */
#include "native.h"

/* Where sequences are flattened, and the event loop whose tasks read them. */
typedef struct {
    PyObject_HEAD
    thw_crew *handle;
    PyObject *loop;
    /* The thread of the loop; what others add is found through the descriptor. */
    unsigned long thread;
    bool is_running;
} CrewObject;

typedef struct {
    PyObject_HEAD
    thw_sequence *handle;
    CrewObject *crew;
} SequenceObject;

typedef struct {
    PyObject_HEAD
    thw_sequence_reader *handle;
    CrewObject *crew;
    /* The future of the task that waits. */
    PyObject *waiter;
} SequenceReaderObject;

static PyTypeObject *CrewType, *SequenceType, *SequenceReaderType;

/* Gives up what Python holds no more, on whatever thread that shows. */
static void released(void *object) {
    if (!Py_IsInitialized()) return;
    PyGILState_STATE state = PyGILState_Ensure();
    Py_DECREF((PyObject *)object);
    PyGILState_Release(state);
}

/* Flattens and wakes until nothing is left of either. What happens meanwhile, in a callback, is found by the same loop. */
static bool run(CrewObject *crew) {
    if (crew->is_running || !thw_crew_is_ready(crew->handle) || PyThread_get_thread_ident() != crew->thread) return true;
    crew->is_running = true;
    Py_INCREF(crew);
    bool is_well = true;
    for (;;) {
        void *const *users = NULL;
        size_t count = 0;
        thw_error error = THW_ERROR_INIT;
        thw_status status = thw_crew_next(crew->handle, &users, &count, &error);
        if (status < 0) {
            failure_raise(&error);
            is_well = false;
        }
        if (status != THW_OK) break;
        /* Held first: whatever runs while one is woken may free another. */
        for (size_t i = 0; i < count; i++) Py_INCREF((PyObject *)users[i]);
        for (size_t i = 0; i < count; i++) {
            SequenceReaderObject *reader = users[i];
            if (is_well && !waiter_wake(reader->waiter)) is_well = false;
            Py_DECREF(reader);
        }
        if (!is_well) break;
    }
    crew->is_running = false;
    Py_DECREF(crew);
    return is_well;
}

static PyObject *crew_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords) {
    PyObject *loop;
    (void)type, (void)keywords;
    if (!PyArg_ParseTuple(arguments, "O", &loop)) return NULL;
    thw_error error = THW_ERROR_INIT;
    thw_crew *handle = thw_crew_new(&error);
    if (handle == NULL) return failure_raise(&error);
    CrewObject *self = new_object(CrewType);
    if (self == NULL) {
        thw_crew_free(handle);
        return NULL;
    }
    self->handle = handle;
    Py_INCREF(loop);
    self->loop = loop;
    self->thread = PyThread_get_thread_ident();
    return (PyObject *)self;
}

static int crew_traverse(PyObject *object, visitproc visit, void *arg) {
#if PY_VERSION_HEX >= 0x03090000
    Py_VISIT(Py_TYPE(object));
#endif
    Py_VISIT(((CrewObject *)object)->loop);
    return 0;
}

static int crew_clear(PyObject *object) {
    Py_CLEAR(((CrewObject *)object)->loop);
    return 0;
}

static void crew_dealloc(PyObject *object) {
    PyObject_GC_UnTrack(object);
    crew_clear(object);
    thw_crew_free(((CrewObject *)object)->handle);
    free_object(object);
}

static PyObject *crew_run(PyObject *object, PyObject *nothing) {
    (void)nothing;
    if (!run((CrewObject *)object)) return NULL;
    Py_RETURN_NONE;
}

static PyObject *crew_fileno(PyObject *object, PyObject *nothing) {
    (void)nothing;
    thw_error error = THW_ERROR_INIT;
    int fd = thw_crew_fd(((CrewObject *)object)->handle, &error);
    if (fd < 0) return failure_raise(&error);
    return PyLong_FromLong(fd);
}

/* Calls a function of Python, as the first one reads. */
static void started(void *user) {
    PyGILState_STATE state = PyGILState_Ensure();
    PyObject *result = PyObject_CallFunctionObjArgs((PyObject *)user, NULL);
    if (result == NULL) PyErr_WriteUnraisable((PyObject *)user);
    Py_XDECREF(result);
    PyGILState_Release(state);
}

static PyObject *sequence_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords) {
    PyObject *crew, *start = Py_None;
    (void)type, (void)keywords;
    if (!PyArg_ParseTuple(arguments, "O!|O", CrewType, &crew, &start)) return NULL;
    SequenceObject *self = new_object(SequenceType);
    if (self == NULL) return NULL;
    Py_INCREF(crew);
    self->crew = (CrewObject *)crew;
    thw_error error = THW_ERROR_INIT;
    if (start == Py_None) {
        self->handle = thw_sequence_new(self->crew->handle, NULL, NULL, NULL, &error);
    } else {
        Py_INCREF(start);
        self->handle = thw_sequence_new(self->crew->handle, started, start, released, &error);
    }
    if (self->handle == NULL) {
        Py_DECREF(self);
        return failure_raise(&error);
    }
    return (PyObject *)self;
}

static void sequence_dealloc(PyObject *object) {
    SequenceObject *self = (SequenceObject *)object;
    CrewObject *crew = self->crew;
    if (self->handle != NULL) thw_sequence_free(self->handle);
    /* Whoever waits for the end is told. */
    if (crew != NULL) {
        PyObject *type, *value, *traceback;
        PyErr_Fetch(&type, &value, &traceback);
        if (!run(crew)) PyErr_WriteUnraisable(NULL);
        PyErr_Restore(type, value, traceback);
    }
    Py_XDECREF(crew);
    free_object(object);
}

/* What a function that adds something gives. */
static PyObject *added(SequenceObject *self, thw_status status, const thw_error *error) {
    /* Cancelled: nobody reads what comes behind the end. That an appender was closed is told in Python. */
    if (status < 0 && status != THW_E_CLOSED) return failure_raise(error);
    if (!run(self->crew)) return NULL;
    Py_RETURN_NONE;
}

static PyObject *sequence_append(PyObject *object, PyObject *piece) {
    SequenceObject *self = (SequenceObject *)object;
    thw_error error = THW_ERROR_INIT;
    Py_INCREF(piece);
    return added(self, thw_sequence_append(self->handle, piece, released, &error), &error);
}

static PyObject *sequence_append_error(PyObject *object, PyObject *raised) {
    SequenceObject *self = (SequenceObject *)object;
    if (!PyExceptionInstance_Check(raised)) {
        PyErr_SetString(PyExc_TypeError, "an exception is wanted");
        return NULL;
    }
    thw_error error = THW_ERROR_INIT;
    Py_INCREF(raised);
    return added(self, thw_sequence_append_error(self->handle, raised, released, &error), &error);
}

static PyObject *sequence_append_all(PyObject *object, PyObject *arguments) {
    SequenceObject *self = (SequenceObject *)object;
    PyObject *other;
    int out_of_order = 0;
    if (!PyArg_ParseTuple(arguments, "O!|p", SequenceType, &other, &out_of_order)) return NULL;
    thw_error error = THW_ERROR_INIT;
    thw_status status = thw_sequence_append_all(self->handle, ((SequenceObject *)other)->handle,
                                                out_of_order ? THW_OUT_OF_ORDER : 0, &error);
    return added(self, status, &error);
}

static PyObject *sequence_close(PyObject *object, PyObject *nothing) {
    (void)nothing;
    SequenceObject *self = (SequenceObject *)object;
    thw_error error = THW_ERROR_INIT;
    return added(self, thw_sequence_close(self->handle, &error), &error);
}

static PyObject *sequence_cancel(PyObject *object, PyObject *nothing) {
    (void)nothing;
    SequenceObject *self = (SequenceObject *)object;
    thw_sequence_cancel(self->handle);
    return added(self, THW_OK, NULL);
}

static PyObject *sequence_read(PyObject *object) {
    SequenceObject *self = (SequenceObject *)object;
    SequenceReaderObject *reader = new_object(SequenceReaderType);
    if (reader == NULL) return NULL;
    Py_INCREF(self->crew);
    reader->crew = self->crew;
    thw_error error = THW_ERROR_INIT;
    reader->handle = thw_sequence_read(self->handle, reader, &error);
    if (reader->handle == NULL) {
        Py_DECREF(reader);
        return failure_raise(&error);
    }
    /* What was to start on request may have. */
    if (!run(self->crew)) {
        Py_DECREF(reader);
        return NULL;
    }
    return (PyObject *)reader;
}

static int reader_traverse(PyObject *object, visitproc visit, void *arg) {
    SequenceReaderObject *self = (SequenceReaderObject *)object;
#if PY_VERSION_HEX >= 0x03090000
    Py_VISIT(Py_TYPE(object));
#endif
    Py_VISIT(self->crew);
    Py_VISIT(self->waiter);
    return 0;
}

static int reader_clear(PyObject *object) {
    SequenceReaderObject *self = (SequenceReaderObject *)object;
    Py_CLEAR(self->waiter);
    return 0;
}

static void reader_dealloc(PyObject *object) {
    SequenceReaderObject *self = (SequenceReaderObject *)object;
    PyObject_GC_UnTrack(object);
    thw_sequence_reader_free(self->handle);
    reader_clear(object);
    Py_XDECREF(self->crew);
    free_object(object);
}

static PyObject *myself(PyObject *self) {
    Py_INCREF(self);
    return self;
}

/* The next object, new; NULL without an exception when there is none yet, and with one for an error and for the end. */
static PyObject *take(SequenceReaderObject *self) {
    void *object = NULL;
    int32_t is_error = 0;
    thw_error error = THW_ERROR_INIT;
    thw_status status = thw_sequence_next(self->handle, &object, &is_error, &error);
    if (status == THW_PENDING) return NULL;
    if (status == THW_EOF) {
        PyErr_SetNone(PyExc_StopAsyncIteration);
        return NULL;
    }
    if (status < 0) return failure_raise(&error);
    PyObject *piece = object;
    if (!is_error) {
        Py_INCREF(piece);
        return piece;
    }
    PyErr_SetObject((PyObject *)Py_TYPE(piece), piece);
    return NULL;
}

/* The next object, or the future that stands for it. */
static Step step(SequenceReaderObject *self, PyObject **out) {
    *out = take(self);
    if (*out != NULL) return STEP_ITEM;
    if (PyErr_Occurred()) return STEP_FAILED;
    *out = waiter_new(&self->waiter, self->crew->loop);
    return *out == NULL ? STEP_FAILED : STEP_WAIT;
}

static PyObject *reader_iternext(PyObject *object) {
    PyObject *out = NULL;
    Step made = step((SequenceReaderObject *)object, &out);
    return step_next(made, out);
}

#if PY_VERSION_HEX >= 0x030A0000
static PySendResult reader_send(PyObject *object, PyObject *value, PyObject **out) {
    (void)value;
    return step_send(step((SequenceReaderObject *)object, out));
}
#endif

static PyMethodDef crew_methods[] = {
    { "run", crew_run, METH_NOARGS, "Flattens what is there, and wakes who waits for it." },
    { "fileno", crew_fileno, METH_NOARGS, "Readable when `run` has something to do that another thread brought about." },
    { NULL, NULL, 0, NULL },
};

static PyType_Slot crew_slots[] = {
    { Py_tp_doc, "Where sequences are flattened, by the thread of an event loop." },
    { Py_tp_new, crew_new },
    { Py_tp_dealloc, crew_dealloc },
    { Py_tp_traverse, crew_traverse },
    { Py_tp_clear, crew_clear },
    { Py_tp_methods, crew_methods },
    { 0, NULL },
};

static PyMethodDef sequence_methods[] = {
    { "append", sequence_append, METH_O, "Adds an object." },
    { "append_error", sequence_append_error, METH_O, "Adds an exception, which is raised to each reader at this place." },
    { "append_all", sequence_append_all, METH_VARARGS, "Adds all of another sequence, here or when it is there." },
    { "close", sequence_close, METH_NOARGS, "No more will be added." },
    { "cancel", sequence_cancel, METH_NOARGS, "Ends it at once." },
    { NULL, NULL, 0, NULL },
};

static PyType_Slot sequence_slots[] = {
    { Py_tp_doc, "Objects in a row, for any number of readers, each from the first one on." },
    { Py_tp_new, sequence_new },
    { Py_tp_dealloc, sequence_dealloc },
    { Py_tp_methods, sequence_methods },
    { Py_am_aiter, sequence_read },
    { 0, NULL },
};

static PyType_Slot reader_slots[] = {
    { Py_tp_doc, "An asynchronous iterator over a sequence. After an exception more may follow." },
    { Py_tp_dealloc, reader_dealloc },
    { Py_tp_traverse, reader_traverse },
    { Py_tp_clear, reader_clear },
    /* For `yield from reader.__await__()`, which some of asyncio does. */
    { Py_tp_iter, myself },
    { Py_tp_iternext, reader_iternext },
    { Py_am_aiter, myself },
    { Py_am_anext, myself },
    { Py_am_await, myself },
#if PY_VERSION_HEX >= 0x030A0000
    { Py_am_send, reader_send },
#endif
    { 0, NULL },
};

static PyType_Spec crew_spec = { "thalweg._native.Crew", sizeof(CrewObject), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
                                 crew_slots };
static PyType_Spec sequence_spec = { "thalweg._native.Sequence", sizeof(SequenceObject), 0, Py_TPFLAGS_DEFAULT,
                                     sequence_slots };
static PyType_Spec reader_spec = { "thalweg._native.SequenceReader", sizeof(SequenceReaderObject), 0,
                                   Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, reader_slots };

bool sequence_init(PyObject *module) {
    return add_type(module, &crew_spec, "Crew", &CrewType) && add_type(module, &sequence_spec, "Sequence", &SequenceType) &&
           add_type(module, &reader_spec, "SequenceReader", &SequenceReaderType);
}
