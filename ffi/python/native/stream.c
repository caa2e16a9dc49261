/* Stream: the events of a run for `async for`. One descriptor serves all streams of an engine: when it is readable the event
 * loop calls `Engine.drain`, which fills the queue of each stream and wakes the task that waits for it.
 *
 * A stream is its own awaitable: `__anext__` and `__await__` give the stream, and a step of it gives the next event if one is
 * queued. So an event that is there already costs neither an object nor a trip through the loop.
 */
#include "native.h"

/* What the drain knows of a stream. It outlives a stream that was dropped, until the run's last batch.
 *
 * The waiter is held here too: an event loop keeps its tasks weakly, so a task that nobody else holds would be collected
 * while it waits, together with the stream. A task that is cancelled leaves its future, and nothing is held any more.
 */
struct sink {
    struct stream *stream;
    PyObject *waiter;
    struct sink *previous, *next;
};

typedef struct stream {
    PyObject_HEAD
    RunObject *run;
    struct sink *sink;
    PyObject *loop;
    /* The future of the task that waits. */
    PyObject *waiter;
    /* Items from `first` to `last`. */
    PyObject **queue;
    size_t first, last, room;
    int what;
    bool is_over;
} StreamObject;

PyTypeObject *StreamType;

static void unlink_sink(EngineObject *engine, struct sink *sink) {
    if (sink->previous != NULL) sink->previous->next = sink->next;
    else engine->sinks = sink->next;
    if (sink->next != NULL) sink->next->previous = sink->previous;
    Py_XDECREF(sink->waiter);
    PyMem_Free(sink);
}

PyObject *stream_new(RunObject *run, PyObject *loop, int what) {
    StreamObject *self = new_object(StreamType);
    if (self == NULL) return NULL;
    Py_INCREF(run);
    self->run = run;
    Py_INCREF(loop);
    self->loop = loop;
    self->what = what;
    struct sink *sink = PyMem_Malloc(sizeof *sink);
    if (sink == NULL) {
        Py_DECREF(self);
        return PyErr_NoMemory();
    }
    thw_error error = THW_ERROR_INIT;
    if (thw_run_drain(run->handle, sink, &error) < 0) {
        PyMem_Free(sink);
        Py_DECREF(self);
        return failure_raise(&error);
    }
    EngineObject *engine = run->engine;
    sink->stream = self;
    sink->waiter = NULL;
    sink->previous = NULL;
    sink->next = engine->sinks;
    if (engine->sinks != NULL) engine->sinks->previous = sink;
    engine->sinks = sink;
    self->sink = sink;
    return (PyObject *)self;
}

static int stream_traverse(PyObject *object, visitproc visit, void *arg) {
    StreamObject *self = (StreamObject *)object;
#if PY_VERSION_HEX >= 0x03090000
    Py_VISIT(Py_TYPE(object));
#endif
    Py_VISIT(self->run);
    Py_VISIT(self->loop);
    Py_VISIT(self->waiter);
    for (size_t i = self->first; i < self->last; i++) Py_VISIT(self->queue[i]);
    return 0;
}

static int stream_clear(PyObject *object) {
    StreamObject *self = (StreamObject *)object;
    Py_CLEAR(self->loop);
    Py_CLEAR(self->waiter);
    return 0;
}

static void stream_dealloc(PyObject *object) {
    StreamObject *self = (StreamObject *)object;
    PyObject_GC_UnTrack(object);
    if (self->sink != NULL) {
        self->sink->stream = NULL;
        Py_CLEAR(self->sink->waiter);
    }
    stream_clear(object);
    while (self->first < self->last) Py_DECREF(self->queue[self->first++]);
    PyMem_Free(self->queue);
    Py_XDECREF(self->run);
    free_object(object);
}

/* Room for `count` more items. */
static bool reserve(StreamObject *self, size_t count) {
    if (self->room - self->last >= count) return true;
    size_t held = self->last - self->first;
    if (held > 0 && self->first > 0) memmove(self->queue, self->queue + self->first, held * sizeof *self->queue);
    self->first = 0;
    self->last = held;
    if (self->room - held >= count) return true;
    size_t room = held + count;
    PyObject **queue = PyMem_Realloc(self->queue, room * sizeof *queue);
    if (queue == NULL) {
        PyErr_NoMemory();
        return false;
    }
    self->queue = queue;
    self->room = room;
    return true;
}

static bool wake(StreamObject *self) {
    bool is_well = waiter_wake(self->waiter);
    /* The loop holds the task now, to run it. */
    if (self->sink != NULL) Py_CLEAR(self->sink->waiter);
    return is_well;
}

static bool take(StreamObject *self, const thw_batch *batch) {
    if (!reserve(self, batch->count)) return false;
    for (size_t i = 0; i < batch->count; i++) {
        const thw_event *event = &batch->events[i];
        if (!event_is_wanted(event, self->what)) continue;
        PyObject *item = event_as(event, self->what);
        if (item == NULL) return false;
        self->queue[self->last++] = item;
    }
    return true;
}

/* So many times batches are taken before the loop gets its turn. */
#define ROUNDS 4

bool stream_drain(EngineObject *engine) {
    for (int round = 0; round < ROUNDS; round++) {
        const thw_batch *batches = NULL;
        size_t count = 0;
        thw_error error = THW_ERROR_INIT;
        thw_status status = thw_engine_next(engine->handle, 0, &batches, &count, &error);
        if (status < 0) {
            failure_raise(&error);
            return false;
        }
        if (status != THW_OK) return true;
        for (; count > 0; count--, batches++) {
            struct sink *sink = batches->user;
            StreamObject *self = sink->stream;
            bool is_over = batches->status == THW_EOF, is_well = true;
            if (self != NULL) {
                Py_INCREF(self);
                is_well = take(self, batches);
                self->is_over |= is_over || !is_well;
                if (self->last > self->first || self->is_over) is_well &= wake(self);
                if (is_over) self->sink = NULL;
                /* Perhaps the last to hold it; then it has let go of the sink. */
                Py_DECREF(self);
            }
            if (is_over) unlink_sink(engine, sink);
            /* The others still get theirs. */
            if (!is_well) PyErr_WriteUnraisable(NULL);
        }
    }
    return true;
}

void stream_end_all(EngineObject *engine) {
    while (engine->sinks != NULL) {
        struct sink *sink = engine->sinks;
        StreamObject *self = sink->stream;
        if (self != NULL) {
            Py_INCREF(self);
            self->sink = NULL;
            self->is_over = true;
        }
        unlink_sink(engine, sink);
        if (self != NULL) {
            if (!wake(self)) PyErr_WriteUnraisable((PyObject *)self);
            Py_DECREF(self);
        }
    }
}

/* The next item, or the future to wait for. */
static Step step(StreamObject *self, PyObject **out) {
    if (self->first < self->last) {
        *out = self->queue[self->first++];
        return STEP_ITEM;
    }
    if (self->is_over) return failure_is_none(self->run) ? STEP_END : STEP_FAILED;
    *out = waiter_new(&self->waiter, self->loop);
    if (*out == NULL) return STEP_FAILED;
    if (self->sink != NULL) {
        Py_INCREF(*out);
        Py_XDECREF(self->sink->waiter);
        self->sink->waiter = *out;
    }
    return STEP_WAIT;
}

static PyObject *stream_iternext(PyObject *object) {
    PyObject *out = NULL;
    Step made = step((StreamObject *)object, &out);
    return step_next(made, out);
}

#if PY_VERSION_HEX >= 0x030A0000
static PySendResult stream_send(PyObject *object, PyObject *value, PyObject **out) {
    (void)value;
    *out = NULL;
    return step_send(step((StreamObject *)object, out));
}
#endif

static PyObject *stream_self(PyObject *self) {
    Py_INCREF(self);
    return self;
}

static PyType_Slot slots[] = {
    { Py_tp_doc, "An asynchronous iterator over the events of a run, or their text." },
    { Py_tp_dealloc, stream_dealloc },
    { Py_tp_traverse, stream_traverse },
    { Py_tp_clear, stream_clear },
    /* For `yield from stream.__await__()`, which some of asyncio does. */
    { Py_tp_iter, stream_self },
    { Py_tp_iternext, stream_iternext },
    { Py_am_aiter, stream_self },
    { Py_am_anext, stream_self },
    { Py_am_await, stream_self },
#if PY_VERSION_HEX >= 0x030A0000
    { Py_am_send, stream_send },
#endif
    { 0, NULL },
};

static PyType_Spec spec = { "thalweg._native.Stream", sizeof(StreamObject), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
                            slots };

bool stream_init(PyObject *module) {
    return add_type(module, &spec, "Stream", &StreamType);
}
