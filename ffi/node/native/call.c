/* Call: one call of a tool, a hook or a provider, from the moment the engine asks until it is answered. */
#include "native.h"

/* Held by its object and by messages that are under way. All but `holders` and `bridge` is for the thread of JavaScript. */
typedef struct {
    atomic_int holders;
    bridge *bridge;
    napi_ref function;
    /* NULL once answered. */
    thw_sink *sink;
    thw_cancel *cancel;
    /* Called when nobody waits any more. */
    napi_ref on_cancel;
    size_t id_len, arguments_len;
    /* Id and arguments, one behind the other. */
    char texts[];
} call;

static void release(call *self) {
    if (atomic_fetch_sub(&self->holders, 1) > 1) return;
    bridge_release(self->bridge);
    free(self);
}

static thw_status answer(call *self, thw_status status, const char *text, size_t len) {
    thw_sink *sink = self->sink;
    if (sink == NULL) return THW_E_CLOSED;
    self->sink = NULL;
    self->cancel = NULL;
    return thw_sink_answer(sink, status, text, len);
}

static void fail(call *self, const char *why) {
    answer(self, THW_E_FAILED, why, strlen(why));
}

static void forget_on_cancel(napi_env env, call *self) {
    if (self->on_cancel != NULL) napi_delete_reference(env, self->on_cancel);
    self->on_cancel = NULL;
}

static void finalize(napi_env env, void *data, void *hint) {
    (void)hint;
    call *self = data;
    fail(self, "the tool gave no answer");
    forget_on_cancel(env, self);
    release(self);
}

static napi_value make(napi_env env, napi_callback_info info) {
    napi_value object = NULL;
    napi_get_cb_info(env, info, NULL, NULL, &object, NULL);
    return object;
}

/* Calls the tool's function with an object of the call. The tool itself is held by the engine until the call is answered. */
static void start(napi_env env, message *message) {
    call *self = message->subject;
    napi_value function, class, object, receiver, result;
    if (env == NULL) {
        fail(self, "the program ends");
        release(self);
        return;
    }
    napi_handle_scope scope;
    napi_open_handle_scope(env, &scope);
    bool is_made = napi_get_reference_value(env, self->function, &function) == napi_ok &&
                   napi_get_reference_value(env, instance_of(env)->call_class, &class) == napi_ok &&
                   napi_new_instance(env, class, 0, NULL, &object) == napi_ok &&
                   napi_wrap(env, object, self, finalize, NULL, NULL) == napi_ok;
    if (!is_made) {
        fail(self, "the call could not be handed on");
        release(self);
    } else if (napi_get_undefined(env, &receiver) != napi_ok ||
               napi_call_function(env, receiver, function, 1, &object, &result) != napi_ok) {
        /* The function of lib/tool.js catches what a tool throws; this is the stack that was full, or the end of a worker. */
        napi_value exception;
        napi_get_and_clear_last_exception(env, &exception);
        fail(self, "the tool could not be called");
    }
    napi_close_handle_scope(env, scope);
}

thw_status call_invoke(void *context, const thw_str *id, const thw_str *arguments, thw_sink *sink, thw_cancel *cancel,
                       thw_error *error) {
    (void)error;
    tool *asked = context;
    call *self = calloc(1, sizeof *self + id->len + arguments->len);
    if (self == NULL) return THW_E_NOMEM;
    atomic_init(&self->holders, 1);
    self->bridge = bridge_hold(asked->bridge);
    self->function = asked->function;
    self->sink = sink;
    self->cancel = cancel;
    self->id_len = id->len;
    self->arguments_len = arguments->len;
    memcpy(self->texts, id->ptr, id->len);
    memcpy(self->texts + id->len, arguments->ptr, arguments->len);
    if (bridge_post(self->bridge, start, self)) return THW_PENDING;
    release(self);
    return THW_E_CLOSED;
}

static void tell(napi_env env, message *message) {
    call *self = message->subject;
    if (env != NULL && self->on_cancel != NULL && self->sink != NULL) {
        napi_handle_scope scope;
        napi_value function, receiver, result;
        napi_open_handle_scope(env, &scope);
        if (napi_get_reference_value(env, self->on_cancel, &function) == napi_ok && napi_get_undefined(env, &receiver) == napi_ok &&
            napi_call_function(env, receiver, function, 0, NULL, &result) != napi_ok) {
            napi_value exception;
            if (napi_get_and_clear_last_exception(env, &exception) == napi_ok) napi_fatal_exception(env, exception);
        }
        napi_close_handle_scope(env, scope);
    }
    release(self);
}

/* On any thread; the call is not answered before this has returned. */
static void cancelled(void *user) {
    call *self = user;
    atomic_fetch_add(&self->holders, 1);
    if (!bridge_post(self->bridge, tell, self)) release(self);
}

static napi_value end(napi_env env, napi_callback_info info, thw_status status) {
    napi_value value;
    size_t len;
    call *self = unwrap(env, info, 1, &value);
    char *text = self == NULL ? NULL : text_of(env, value, &len);
    if (text == NULL) return NULL;
    bool is_well = answer(self, status, text, len) == THW_OK;
    free(text);
    forget_on_cancel(env, self);
    napi_get_boolean(env, is_well, &value);
    return value;
}

static napi_value call_answer(napi_env env, napi_callback_info info) {
    return end(env, info, THW_OK);
}

static napi_value call_fail(napi_env env, napi_callback_info info) {
    return end(env, info, THW_E_FAILED);
}

/* progress(text, permille) */
static napi_value progress(napi_env env, napi_callback_info info) {
    napi_value arguments[2], value;
    size_t len;
    int32_t permille = -1;
    call *self = unwrap(env, info, 2, arguments);
    char *text = self == NULL ? NULL : text_of(env, arguments[0], &len);
    if (text == NULL) return NULL;
    napi_get_value_int32(env, arguments[1], &permille);
    bool is_well = self->sink != NULL && thw_sink_progress(self->sink, text, len, permille) == THW_OK;
    free(text);
    napi_get_boolean(env, is_well, &value);
    return value;
}

/* push(kind, block, num, text, aux): an event of a provider's reply; gives the status. */
static napi_value push(napi_env env, napi_callback_info info) {
    napi_value arguments[5], value;
    call *self = unwrap(env, info, 5, arguments);
    if (self == NULL) return NULL;
    thw_event event = { 0 };
    size_t text_len, aux_len;
    char *text = text_of(env, arguments[3], &text_len), *aux = text == NULL ? NULL : text_of(env, arguments[4], &aux_len);
    if (aux == NULL || napi_get_value_uint32(env, arguments[0], &event.kind) != napi_ok ||
        napi_get_value_uint32(env, arguments[1], &event.block) != napi_ok ||
        napi_get_value_int64(env, arguments[2], &event.num) != napi_ok) {
        free(text), free(aux);
        return failure_type(env, "an event is three numbers and two texts");
    }
    event.text = (thw_str){ (const uint8_t *)text, text_len };
    event.aux = (thw_str){ (const uint8_t *)aux, aux_len };
    thw_status status = self->sink == NULL ? THW_E_CLOSED : thw_sink_push(self->sink, &event, 1);
    free(text), free(aux);
    napi_create_int32(env, status, &value);
    return value;
}

/* hasRoom(): the status of asking whether more may be pushed. */
static napi_value has_room(napi_env env, napi_callback_info info) {
    napi_value value;
    call *self = unwrap(env, info, 0, NULL);
    if (self == NULL) return NULL;
    napi_create_int32(env, self->sink == NULL ? THW_E_CLOSED : thw_sink_wait(self->sink, 0), &value);
    return value;
}

/* onCancel(function): once a call. */
static napi_value on_cancel(napi_env env, napi_callback_info info) {
    napi_value function;
    call *self = unwrap(env, info, 1, &function);
    if (self == NULL || self->sink == NULL || self->on_cancel != NULL) return NULL;
    if (napi_create_reference(env, function, 1, &self->on_cancel) != napi_ok) return failure_type(env, "a function is wanted");
    thw_cancel_on(self->cancel, cancelled, self);
    return NULL;
}

static napi_value is_cancelled(napi_env env, napi_callback_info info) {
    call *self = unwrap(env, info, 0, NULL);
    if (self == NULL) return NULL;
    napi_value value;
    napi_get_boolean(env, self->sink == NULL || thw_cancel_is_set(self->cancel) != 0, &value);
    return value;
}

static napi_value call_id(napi_env env, napi_callback_info info) {
    call *self = unwrap(env, info, 0, NULL);
    return self == NULL ? NULL : text_value(env, self->texts, self->id_len);
}

static napi_value call_arguments(napi_env env, napi_callback_info info) {
    call *self = unwrap(env, info, 0, NULL);
    return self == NULL ? NULL : text_value(env, self->texts + self->id_len, self->arguments_len);
}

napi_ref call_init(napi_env env, napi_value exports) {
    const napi_property_descriptor methods[] = {
        METHOD("answer", call_answer),
        METHOD("fail", call_fail),
        METHOD("progress", progress),
        METHOD("push", push),
        METHOD("hasRoom", has_room),
        METHOD("onCancel", on_cancel),
        METHOD("isCancelled", is_cancelled),
        METHOD("id", call_id),
        METHOD("arguments", call_arguments),
    };
    return add_class(env, exports, "Call", make, methods, LENGTH(methods));
}
