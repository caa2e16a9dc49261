/* Call: one call of a tool, a hook or a provider, from the moment the engine asks until it is answered. */
#include "native.h"

typedef struct {
    PyObject_HEAD
    PyObject *id, *arguments;
    /* NULL once answered; under the GIL. */
    thw_sink *sink;
    thw_cancel *cancel;
    /* Called when nobody waits any more. */
    PyObject *on_cancel;
} CallObject;

PyTypeObject *CallType;

/* Ends the call. The callback of `cancelled`, which wants the GIL, may be running: it must be able to finish. */
static thw_status answer(CallObject *self, thw_status status, const char *text, Py_ssize_t len) {
    thw_sink *sink = self->sink;
    if (sink == NULL) return THW_E_CLOSED;
    self->sink = NULL;
    self->cancel = NULL;
    thw_status result;
    Py_BEGIN_ALLOW_THREADS
    result = thw_sink_answer(sink, status, text, (size_t)len);
    Py_END_ALLOW_THREADS
    Py_CLEAR(self->on_cancel);
    return result;
}

static void call_dealloc(PyObject *object) {
    CallObject *self = (CallObject *)object;
    static const char NONE[] = "the tool gave no answer";
    if (self->sink != NULL) answer(self, THW_E_FAILED, NONE, sizeof NONE - 1);
    Py_XDECREF(self->id);
    Py_XDECREF(self->arguments);
    Py_XDECREF(self->on_cancel);
    free_object(object);
}

static PyObject *answer_with(PyObject *object, PyObject *text, thw_status status) {
    Py_ssize_t len;
    const char *utf8 = PyUnicode_AsUTF8AndSize(text, &len);
    if (utf8 == NULL) return NULL;
    return PyBool_FromLong(answer((CallObject *)object, status, utf8, len) == THW_OK);
}

static PyObject *call_answer(PyObject *self, PyObject *text) {
    return answer_with(self, text, THW_OK);
}

static PyObject *call_fail(PyObject *self, PyObject *why) {
    return answer_with(self, why, THW_E_FAILED);
}

static PyObject *call_progress(PyObject *object, PyObject *arguments) {
    CallObject *self = (CallObject *)object;
    const char *text;
    Py_ssize_t len;
    int permille;
    if (!PyArg_ParseTuple(arguments, "s#i", &text, &len, &permille)) return NULL;
    if (self->sink == NULL) Py_RETURN_FALSE;
    return PyBool_FromLong(thw_sink_progress(self->sink, text, (size_t)len, permille) == THW_OK);
}

/* Events of a provider at a time. */
#define PUSH_MAX 64

/* Hands on tuples (kind, block, num, text, aux), and gives the status. */
static PyObject *call_push(PyObject *object, PyObject *list) {
    CallObject *self = (CallObject *)object;
    if (!PyList_Check(list)) {
        PyErr_SetString(PyExc_TypeError, "a list of events is wanted");
        return NULL;
    }
    thw_status status = THW_OK;
    Py_ssize_t count = PyList_Size(list);
    for (Py_ssize_t start = 0; start < count && status >= 0; start += PUSH_MAX) {
        thw_event events[PUSH_MAX] = { { 0 } };
        uint32_t len = (uint32_t)(count - start < PUSH_MAX ? count - start : PUSH_MAX);
        for (uint32_t i = 0; i < len; i++) {
            unsigned int kind, block;
            long long num;
            const char *text, *aux;
            Py_ssize_t text_len, aux_len;
            if (!PyArg_ParseTuple(PyList_GetItem(list, start + i), "IILs#s#", &kind, &block, &num, &text, &text_len, &aux,
                                  &aux_len))
                return NULL;
            events[i].kind = kind, events[i].block = block, events[i].num = num;
            events[i].text = (thw_str){ (const uint8_t *)text, (size_t)text_len };
            events[i].aux = (thw_str){ (const uint8_t *)aux, (size_t)aux_len };
        }
        /* Answered meanwhile, when that is NULL. */
        status = self->sink == NULL ? THW_E_CLOSED : thw_sink_push(self->sink, events, len);
    }
    return PyLong_FromLong(status);
}

/* Waits until there is room for more, and gives the status. */
static PyObject *call_wait(PyObject *object, PyObject *timeout) {
    CallObject *self = (CallObject *)object;
    long timeout_ms = PyLong_AsLong(timeout);
    if (timeout_ms == -1 && PyErr_Occurred()) return NULL;
    thw_sink *sink = self->sink;
    if (sink == NULL) return PyLong_FromLong(THW_E_CLOSED);
    thw_status status;
    Py_BEGIN_ALLOW_THREADS
    status = thw_sink_wait(sink, (int32_t)timeout_ms);
    Py_END_ALLOW_THREADS
    return PyLong_FromLong(status);
}

/* On any thread; the call is not answered before this has returned. */
static void cancelled(void *user) {
    if (!Py_IsInitialized()) return;
    PyGILState_STATE state = PyGILState_Ensure();
    CallObject *self = user;
    PyObject *function = self->on_cancel;
    self->on_cancel = NULL;
    if (function != NULL) {
        PyObject *result = PyObject_CallFunctionObjArgs(function, NULL);
        if (result == NULL) PyErr_WriteUnraisable(function);
        Py_XDECREF(result);
        Py_DECREF(function);
    }
    PyGILState_Release(state);
}

static PyObject *call_on_cancel(PyObject *object, PyObject *function) {
    CallObject *self = (CallObject *)object;
    if (self->cancel == NULL) Py_RETURN_NONE;
    if (self->on_cancel != NULL) {
        PyErr_SetString(PyExc_RuntimeError, "there is a callback already");
        return NULL;
    }
    Py_INCREF(function);
    self->on_cancel = function;
    thw_cancel *cancel = self->cancel;
    Py_BEGIN_ALLOW_THREADS
    thw_cancel_on(cancel, cancelled, self);
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

static PyObject *call_is_cancelled(PyObject *object, void *closure) {
    (void)closure;
    CallObject *self = (CallObject *)object;
    return PyBool_FromLong(self->cancel != NULL && thw_cancel_is_set(self->cancel));
}

/* Called on a thread of its own. The function answers through the call, now or later. */
thw_status call_invoke(void *function, const thw_str *id, const thw_str *arguments, thw_sink *sink, thw_cancel *cancel,
                       thw_error *error) {
    (void)error;
    if (!Py_IsInitialized()) return THW_E_CLOSED;
    PyGILState_STATE state = PyGILState_Ensure();
    thw_status status = THW_E_NOMEM;
    CallObject *self = new_object(CallType);
    if (self != NULL && (self->id = text_of(*id)) != NULL && (self->arguments = text_of(*arguments)) != NULL) {
        self->sink = sink;
        self->cancel = cancel;
        PyObject *result = PyObject_CallFunctionObjArgs((PyObject *)function, (PyObject *)self, NULL);
        if (result == NULL) PyErr_WriteUnraisable((PyObject *)function);
        Py_XDECREF(result);
        status = THW_PENDING;
    }
    if (PyErr_Occurred()) PyErr_Clear();
    /* Answers for a function that forgot it. */
    Py_XDECREF(self);
    PyGILState_Release(state);
    return status;
}

static PyMethodDef methods[] = {
    { "answer", call_answer, METH_O, "Ends the call; False when nobody waits any more." },
    { "fail", call_fail, METH_O, "Ends the call with why it failed; False when nobody waits any more." },
    { "progress", call_progress, METH_VARARGS, "Tells how far it is; False when nobody waits any more." },
    { "push", call_push, METH_O, "Hands on events of a reply; gives the status." },
    { "wait", call_wait, METH_O, "Waits so many milliseconds for room to push more; gives the status." },
    { "on_cancel", call_on_cancel, METH_O, "Has a function called, on any thread, when nobody waits any more." },
    { NULL, NULL, 0, NULL },
};

static PyMemberDef members[] = {
    { "id", T_OBJECT, offsetof(CallObject, id), READONLY, "Id of the call." },
    { "arguments", T_OBJECT, offsetof(CallObject, arguments), READONLY, "Its arguments, a JSON object." },
    { NULL, 0, 0, 0, NULL },
};

static PyGetSetDef getters[] = {
    { "is_cancelled", call_is_cancelled, NULL, "Whether nobody waits any more.", NULL },
    { NULL, NULL, NULL, NULL, NULL },
};

static PyType_Slot slots[] = {
    { Py_tp_doc, "One call of a tool, a hook or a provider." },
    { Py_tp_dealloc, call_dealloc },
    { Py_tp_methods, methods },
    { Py_tp_members, members },
    { Py_tp_getset, getters },
    { 0, NULL },
};

static PyType_Spec spec = { "thalweg._native.Call", sizeof(CallObject), 0, Py_TPFLAGS_DEFAULT, slots };

bool call_init(PyObject *module) {
    return add_type(module, &spec, "Call", &CallType);
}
