/* What the files of the extension module share.
 *
 * The module is a thin layer over thalweg.h: it turns borrowed batches of events into Python objects, and waits without the
 * GIL. Everything a person touches is in the Python files of the package.
 */
#ifndef THALWEG_NATIVE_H
#define THALWEG_NATIVE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>

#include <stdbool.h>
#include <thalweg.h>

/* An engine. `sinks` are the streams that its drain feeds. */
typedef struct {
    PyObject_HEAD
    thw_engine *handle;
    struct sink *sinks;
} EngineObject;

typedef struct {
    PyObject_HEAD
    thw_agent *handle;
    EngineObject *engine;
} AgentObject;

/* What an agent calls in Python; the texts stay those of its tuples. */
typedef struct {
    thw_callbacks callbacks;
    thw_host_tool *tools;
    thw_host_hook *hooks;
    thw_host_provider *providers;
} Given;

/* What an agent or a client is made of. */
typedef struct {
    EngineObject *engine;
    const char *options;
    Py_ssize_t options_len;
    Given given;
} Parts;

/* A file of conversations. */
typedef struct {
    PyObject_HEAD
    thw_store *handle;
} StoreObject;

/* A run. It is aborted when nothing in Python holds it any more. */
typedef struct {
    PyObject_HEAD
    thw_run *handle;
    EngineObject *engine;
} RunObject;

extern PyTypeObject *EngineType, *AgentType, *ClientType, *RunType, *EventType, *ReaderType, *StreamType, *CallType,
    *StoreType;

/* Which events an iterator gives, and as what. */
enum { ALL_EVENTS, ONLY_TEXT, NOTHING };

/* event.c */
bool event_init(PyObject *module);
PyObject *event_new(const thw_event *event);
PyObject *event_as(const thw_event *event, int what);
bool event_is_wanted(const thw_event *event, int what);

/* failure.c */
bool failure_init(PyObject *module);
PyObject *failure_raise(const thw_error *error);
PyObject *failure_raise_of_run(const thw_error *error, thw_run *run);
bool failure_is_none(RunObject *run);

/* run.c, reader.c, stream.c, engine.c, agent.c, client.c, store.c, call.c: one type each. */
bool engine_init(PyObject *module);
bool agent_init(PyObject *module);
bool client_init(PyObject *module);
bool store_init(PyObject *module);
bool run_init(PyObject *module);
bool reader_init(PyObject *module);
bool stream_init(PyObject *module);
bool call_init(PyObject *module);
bool sequence_init(PyObject *module);

PyObject *run_new(EngineObject *engine, thw_run *handle);
PyObject *reader_new(RunObject *run, int what, bool holds_back);
PyObject *stream_new(RunObject *run, PyObject *loop, int what);
/* A call of a tool, a hook or a provider: asks `function(call)`; see call.c. */
thw_status call_invoke(void *function, const thw_str *id, const thw_str *arguments, thw_sink *sink, thw_cancel *cancel,
                       thw_error *error);

/* Reads tuples of tuples, and takes over their functions; false with an exception set. To be freed in either case. */
bool given_read(Given *given, PyObject *tools, PyObject *hooks, PyObject *providers);
void given_free(Given *given);

/* Reads the arguments (engine, options, tools, hooks, providers); false with an exception set. If true, `given` is to be freed. */
bool parts_read(Parts *parts, PyObject *arguments, PyObject *keywords);

/* waiter.c */
bool waiter_init(void);
/* A new future of `loop` for a task to wait for; `*waiter` holds it, too, in the place of one that is over. NULL with an exception,
 * also when another task waits there. */
PyObject *waiter_new(PyObject **waiter, PyObject *loop);
/* Lets the task go on, if there is one; false with an exception set. */
bool waiter_wake(PyObject *waiter);

/* A step of an object that is its own awaitable: gives an item, or a future to wait for; or is at the end; or an exception is set. */
typedef enum { STEP_ITEM, STEP_WAIT, STEP_END, STEP_FAILED } Step;
/* What `tp_iternext` gives for a step, and `am_send`, where `*out` is set already. */
PyObject *step_next(Step step, PyObject *out);
#if PY_VERSION_HEX >= 0x030A0000
PySendResult step_send(Step step);
#endif

/* Hands the batches that are there to their streams; false with an exception set. */
bool stream_drain(EngineObject *engine);
/* The engine is gone: all its streams end. */
void stream_end_all(EngineObject *engine);

/* Makes a type and puts it into the module. */
static inline bool add_type(PyObject *module, PyType_Spec *spec, const char *name, PyTypeObject **type) {
    *type = (PyTypeObject *)PyType_FromSpec(spec);
    if (*type == NULL) return false;
    Py_INCREF(*type);
    return PyModule_AddObject(module, name, (PyObject *)*type) == 0;
}

/* A new object of a type of ours, all zero. */
static inline void *new_object(PyTypeObject *type) {
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    return allocate(type, 0);
}

/* The last step of a tp_dealloc. */
static inline void free_object(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
    Py_DECREF(type);
}

/* A text that the library gave away, or the failure that is there in its place. */
PyObject *text_taken(char *text, const thw_error *error);

static inline PyObject *text_of(thw_str text) {
    return PyUnicode_DecodeUTF8((const char *)text.ptr, (Py_ssize_t)text.len, "replace");
}

#endif
