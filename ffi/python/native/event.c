/* Event: one step of a run, copied out of the log when it is read. */
#include "native.h"

typedef struct {
    PyObject_HEAD
    PyObject *text, *aux;
    long long num;
    unsigned long long seq;
    unsigned int kind, flags, block, choice;
} EventObject;

PyTypeObject *EventType;

/* Names of kinds, interned; those of blocks by the kind of the events that fill them. */
#define KINDS 128
static PyObject *names[KINDS], *begins[KINDS], *ends[KINDS], *lagged, *unknown, *empty;

static const struct {
    unsigned int kind;
    const char *name;
} NAMES[] = {
    { THW_EVENT_MESSAGE_START, "reply_start" },
    { THW_EVENT_TEXT, "text_delta" },
    { THW_EVENT_THINKING, "thinking_delta" },
    { THW_EVENT_THINKING_SIGNATURE, "thinking_signature" },
    { THW_EVENT_REDACTED_THINKING, "redacted_thinking" },
    { THW_EVENT_REFUSAL, "refusal_delta" },
    { THW_EVENT_TOOL_BEGIN, "tool_call_start" },
    { THW_EVENT_TOOL_ARGUMENTS, "tool_call_delta" },
    { THW_EVENT_BLOCK_END, "block_end" },
    { THW_EVENT_USAGE, "usage" },
    { THW_EVENT_USAGE_RAW, "usage_raw" },
    { THW_EVENT_STOP, "stop" },
    { THW_EVENT_ERROR, "error" },
    { THW_EVENT_DONE, "done" },
    { THW_EVENT_OTHER_CONTENT, "other_content" },
    { THW_EVENT_SKIPPED, "skipped" },
    { THW_EVENT_AGENT_START, "agent_start" },
    { THW_EVENT_TURN_START, "turn_start" },
    { THW_EVENT_MESSAGE_BEGIN, "message_start" },
    { THW_EVENT_MESSAGE_END, "message_end" },
    { THW_EVENT_TOOL_EXECUTION_START, "tool_execution_start" },
    { THW_EVENT_TOOL_EXECUTION_UPDATE, "tool_execution_update" },
    { THW_EVENT_TOOL_EXECUTION_END, "tool_execution_end" },
    { THW_EVENT_TURN_END, "turn_end" },
    { THW_EVENT_AGENT_END, "agent_end" },
};

static const struct {
    unsigned int kind;
    const char *begin, *end;
} BLOCKS[] = {
    { THW_EVENT_TEXT, "text_start", "text_end" },
    { THW_EVENT_THINKING, "thinking_start", "thinking_end" },
    { THW_EVENT_REDACTED_THINKING, "redacted_thinking_start", "redacted_thinking_end" },
    { THW_EVENT_REFUSAL, "refusal_start", "refusal_end" },
    { THW_EVENT_TOOL_ARGUMENTS, "tool_call_start", "tool_call_end" },
};

/* Whether an iterator gives an event. Text is that of the first choice. */
bool event_is_wanted(const thw_event *event, int what) {
    return what == ALL_EVENTS || (what == ONLY_TEXT && event->kind == THW_EVENT_TEXT && event->sub == 0);
}

/* What an iterator gives for an event that is wanted. */
PyObject *event_as(const thw_event *event, int what) {
    return what == ONLY_TEXT ? text_of(event->text) : event_new(event);
}

PyObject *event_new(const thw_event *event) {
    PyObject *text = text_of(event->text);
    if (text == NULL) return NULL;
    PyObject *aux = empty;
    if (event->aux.len == 0) {
        Py_INCREF(aux);
    } else if ((aux = text_of(event->aux)) == NULL) {
        Py_DECREF(text);
        return NULL;
    }
    EventObject *self = PyObject_New(EventObject, EventType);
    if (self == NULL) {
        Py_DECREF(text);
        Py_DECREF(aux);
        return NULL;
    }
    self->text = text;
    self->aux = aux;
    self->num = event->num;
    self->seq = event->seq;
    self->kind = event->kind;
    self->flags = event->flags;
    self->block = event->block;
    self->choice = event->sub;
    return (PyObject *)self;
}

static void event_dealloc(PyObject *object) {
    EventObject *self = (EventObject *)object;
    Py_DECREF(self->text);
    Py_DECREF(self->aux);
    PyTypeObject *type = Py_TYPE(object);
    PyObject_Free(object);
    Py_DECREF(type);
}

static PyObject *name_of(const EventObject *self) {
    PyObject *const *table = names;
    unsigned long long kind = self->kind;
    if (kind == THW_EVENT_CONTENT_BEGIN || kind == THW_EVENT_CONTENT_END) {
        table = kind == THW_EVENT_CONTENT_BEGIN ? begins : ends;
        kind = (unsigned long long)self->num;
    }
    PyObject *name = kind < KINDS && table[kind] != NULL ? table[kind] : kind == THW_EVENT_LAGGED ? lagged : unknown;
    Py_INCREF(name);
    return name;
}

static PyObject *event_type(PyObject *self, void *closure) {
    (void)closure;
    return name_of((EventObject *)self);
}

static PyObject *event_repr(PyObject *object) {
    EventObject *self = (EventObject *)object;
    PyObject *name = name_of(self);
    PyObject *repr = self->aux == empty
                         ? PyUnicode_FromFormat("<Event %U %u %R>", name, self->block, self->text)
                         : PyUnicode_FromFormat("<Event %U %u %R %R>", name, self->block, self->text, self->aux);
    Py_DECREF(name);
    return repr;
}

static PyGetSetDef getters[] = {
    { "type", event_type, NULL, "What happened, such as \"text_delta\" or \"tool_execution_end\".", NULL },
    { NULL, NULL, NULL, NULL, NULL },
};

static PyMemberDef members[] = {
    { "text", T_OBJECT, offsetof(EventObject, text), READONLY, "The text of a delta, or the JSON of what happened." },
    { "aux", T_OBJECT, offsetof(EventObject, aux), READONLY, "A second text, such as the id of a tool call." },
    { "num", T_LONGLONG, offsetof(EventObject, num), READONLY, "A number whose meaning depends on the kind." },
    { "seq", T_ULONGLONG, offsetof(EventObject, seq), READONLY, "Place in the log of the run." },
    { "kind", T_UINT, offsetof(EventObject, kind), READONLY, "THW_EVENT_* of the C headers." },
    { "flags", T_UINT, offsetof(EventObject, flags), READONLY, "THW_FLAG_* of the C headers." },
    { "index", T_UINT, offsetof(EventObject, block), READONLY, "Place of the content block in its message." },
    { "choice", T_UINT, offsetof(EventObject, choice), READONLY, "Which of several replies; 0 is the one that counts." },
    { NULL, 0, 0, 0, NULL },
};

static PyType_Slot slots[] = {
    { Py_tp_doc, "One step of a run." },
    { Py_tp_dealloc, event_dealloc },
    { Py_tp_repr, event_repr },
    { Py_tp_getset, getters },
    { Py_tp_members, members },
    { 0, NULL },
};

static PyType_Spec spec = { "thalweg._native.Event", sizeof(EventObject), 0, Py_TPFLAGS_DEFAULT, slots };

bool event_init(PyObject *module) {
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++)
        if ((names[NAMES[i].kind] = PyUnicode_InternFromString(NAMES[i].name)) == NULL) return false;
    for (size_t i = 0; i < sizeof BLOCKS / sizeof *BLOCKS; i++) {
        if ((begins[BLOCKS[i].kind] = PyUnicode_InternFromString(BLOCKS[i].begin)) == NULL) return false;
        if ((ends[BLOCKS[i].kind] = PyUnicode_InternFromString(BLOCKS[i].end)) == NULL) return false;
    }
    if ((lagged = PyUnicode_InternFromString("lagged")) == NULL) return false;
    if ((unknown = PyUnicode_InternFromString("unknown")) == NULL) return false;
    if ((empty = PyUnicode_FromStringAndSize("", 0)) == NULL) return false;
    return add_type(module, &spec, "Event", &EventType);
}
