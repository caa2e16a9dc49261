/* Agent: a model, its tools, and the conversation with it. */
#include "native.h"

static void finalize(napi_env env, void *data, void *hint) {
    (void)env;
    (void)hint;
    thw_agent_free(data);
}

/* On the thread of JavaScript. */
static void free_tool(napi_env env, message *message) {
    tool *self = message->subject;
    if (env != NULL) napi_delete_reference(env, self->function);
    bridge_release(self->bridge);
    free(self);
}

/* Gives a function back; on any thread. */
static void drop_tool(void *context) {
    tool *self = context;
    if (bridge_post(self->bridge, free_tool, self)) return;
    /* The environment has ended, and its references with it. */
    bridge_release(self->bridge);
    free(self);
}

/* What the engine holds of a function, or NULL. */
static tool *hold_function(napi_env env, napi_value function) {
    tool *self = calloc(1, sizeof *self);
    if (self == NULL || napi_create_reference(env, function, 1, &self->function) != napi_ok) {
        free(self);
        return NULL;
    }
    self->bridge = bridge_hold(instance_of(env)->bridge);
    return self;
}

/* What an agent calls in JavaScript. `texts` are to be freed. */
typedef struct {
    thw_host_tool *tools;
    thw_host_hook *hooks;
    thw_host_provider *providers;
    uint32_t tools_len, hooks_len, providers_len;
    char **texts;
    size_t texts_len;
} given;

/* The text at `index` of an array, kept until the end. */
static bool read_text(napi_env env, given *self, napi_value array, uint32_t index, thw_str *out) {
    napi_value value;
    size_t len;
    if (napi_get_element(env, array, index, &value) != napi_ok) return false;
    char *text = text_of(env, value, &len);
    if (text == NULL) return false;
    self->texts[self->texts_len++] = text;
    *out = (thw_str){ (const uint8_t *)text, len };
    return true;
}

static bool read_number(napi_env env, napi_value array, uint32_t index, uint32_t *out) {
    napi_value value;
    return napi_get_element(env, array, index, &value) == napi_ok && napi_get_value_uint32(env, value, out) == napi_ok;
}

static bool read_function(napi_env env, napi_value array, uint32_t index, void **out) {
    napi_value value;
    return napi_get_element(env, array, index, &value) == napi_ok && (*out = hold_function(env, value)) != NULL;
}

/* [name, description, parameters, flags, function] */
static bool read_tool(napi_env env, given *self, napi_value array, thw_host_tool *out) {
    *out = (thw_host_tool){ .struct_size = sizeof *out, .invoke = call_invoke, .drop = drop_tool };
    return read_text(env, self, array, 0, &out->name) && read_text(env, self, array, 1, &out->description) &&
           read_text(env, self, array, 2, &out->parameters) && read_number(env, array, 3, &out->flags) &&
           read_function(env, array, 4, &out->context);
}

/* [point, function] */
static bool read_hook(napi_env env, napi_value array, thw_host_hook *out) {
    *out = (thw_host_hook){ .struct_size = sizeof *out, .invoke = call_invoke, .drop = drop_tool };
    return read_number(env, array, 0, &out->point) && read_function(env, array, 1, &out->context);
}

/* [name, function] */
static bool read_provider(napi_env env, given *self, napi_value array, thw_host_provider *out) {
    *out = (thw_host_provider){ .struct_size = sizeof *out, .invoke = call_invoke, .drop = drop_tool };
    return read_text(env, self, array, 0, &out->name) && read_function(env, array, 1, &out->context);
}

/* Reads the three arrays; false as soon as something cannot be read. */
static bool read_given(napi_env env, given *self, napi_value arrays[3]) {
    uint32_t lens[3];
    napi_value element;
    for (int i = 0; i < 3; i++)
        if (napi_get_array_length(env, arrays[i], &lens[i]) != napi_ok) return false;
    self->tools = calloc(lens[0] + 1, sizeof *self->tools);
    self->hooks = calloc(lens[1] + 1, sizeof *self->hooks);
    self->providers = calloc(lens[2] + 1, sizeof *self->providers);
    self->texts = calloc((size_t)3 * lens[0] + lens[2] + 1, sizeof *self->texts);
    if (self->tools == NULL || self->hooks == NULL || self->providers == NULL || self->texts == NULL) return false;
    for (; self->tools_len < lens[0]; self->tools_len++)
        if (napi_get_element(env, arrays[0], self->tools_len, &element) != napi_ok ||
            !read_tool(env, self, element, &self->tools[self->tools_len]))
            return false;
    for (; self->hooks_len < lens[1]; self->hooks_len++)
        if (napi_get_element(env, arrays[1], self->hooks_len, &element) != napi_ok ||
            !read_hook(env, element, &self->hooks[self->hooks_len]))
            return false;
    for (; self->providers_len < lens[2]; self->providers_len++)
        if (napi_get_element(env, arrays[2], self->providers_len, &element) != napi_ok ||
            !read_provider(env, self, element, &self->providers[self->providers_len]))
            return false;
    return true;
}

/* Gives back the functions, which nobody took over. */
static void drop_given(given *self) {
    for (uint32_t i = 0; i < self->tools_len; i++) drop_tool(self->tools[i].context);
    for (uint32_t i = 0; i < self->hooks_len; i++) drop_tool(self->hooks[i].context);
    for (uint32_t i = 0; i < self->providers_len; i++) drop_tool(self->providers[i].context);
}

/* new Agent(engine, options, tools, hooks, providers) */
static napi_value make(napi_env env, napi_callback_info info) {
    napi_value arguments[5], object;
    size_t count = 5, len;
    napi_get_cb_info(env, info, &count, arguments, &object, NULL);
    char *options = text_of(env, arguments[1], &len);
    if (options == NULL) return failure_type(env, "options are a text");
    given given = { 0 };
    bool is_read = read_given(env, &given, &arguments[2]);
    thw_error error = THW_ERROR_INIT;
    thw_agent *handle = NULL;
    if (is_read) {
        /* Takes the functions over, whatever comes of it. */
        thw_callbacks callbacks = THW_CALLBACKS_INIT;
        callbacks.tools_len = given.tools_len, callbacks.tools = given.tools;
        callbacks.hooks_len = given.hooks_len, callbacks.hooks = given.hooks;
        callbacks.providers_len = given.providers_len, callbacks.providers = given.providers;
        handle = thw_agent_new(engine_handle(env, arguments[0]), options, len, &callbacks, &error);
    } else {
        drop_given(&given);
    }
    for (size_t i = 0; i < given.texts_len; i++) free(given.texts[i]);
    free(given.texts), free(given.tools), free(given.hooks), free(given.providers), free(options);
    if (!is_read) return failure_type(env, "a tool, a hook or a provider could not be read");
    if (handle == NULL) return failure_throw(env, &error, NULL);
    if (napi_wrap(env, object, handle, finalize, NULL, NULL) != napi_ok) {
        thw_agent_free(handle);
        return failure_type(env, "an agent is made with `new`");
    }
    return object;
}

typedef thw_run *start_function(thw_agent *, const char *, size_t, const thw_run_options *, thw_error *);

static napi_value start(napi_env env, napi_callback_info info, start_function *function) {
    napi_value value;
    size_t len;
    thw_agent *self = unwrap(env, info, 1, &value);
    char *text = self == NULL ? NULL : text_of(env, value, &len);
    if (text == NULL) return NULL;
    thw_error error = THW_ERROR_INIT;
    thw_run *run = function(self, text, len, NULL, &error);
    free(text);
    return run == NULL ? failure_throw(env, &error, NULL) : run_new(env, run);
}

static napi_value prompt(napi_env env, napi_callback_info info) {
    return start(env, info, thw_agent_prompt);
}

static napi_value prompt_json(napi_env env, napi_callback_info info) {
    return start(env, info, thw_agent_prompt_json);
}

typedef thw_status say_function(thw_agent *, const char *, size_t, thw_error *);

static napi_value say(napi_env env, napi_callback_info info, say_function *function) {
    napi_value value;
    size_t len;
    thw_agent *self = unwrap(env, info, 1, &value);
    char *text = self == NULL ? NULL : text_of(env, value, &len);
    if (text == NULL) return NULL;
    thw_error error = THW_ERROR_INIT;
    thw_status status = function(self, text, len, &error);
    free(text);
    return status < 0 ? failure_throw(env, &error, NULL) : undefined(env);
}

static napi_value steer(napi_env env, napi_callback_info info) {
    return say(env, info, thw_agent_steer_json);
}

static napi_value follow_up(napi_env env, napi_callback_info info) {
    return say(env, info, thw_agent_follow_up_json);
}

static napi_value set_conversation(napi_env env, napi_callback_info info) {
    return say(env, info, thw_agent_set_conversation);
}

static napi_value conversation(napi_env env, napi_callback_info info) {
    thw_agent *self = unwrap(env, info, 0, NULL);
    if (self == NULL) return NULL;
    thw_error error = THW_ERROR_INIT;
    return text_taken(env, thw_agent_conversation(self, &error), &error);
}

/* keep(store, options): options and answer are JSON. */
static napi_value keep(napi_env env, napi_callback_info info) {
    napi_value arguments[2];
    size_t len;
    thw_agent *self = unwrap(env, info, 2, arguments);
    char *options = self == NULL ? NULL : text_of(env, arguments[1], &len);
    if (options == NULL) return NULL;
    thw_error error = THW_ERROR_INIT;
    char *kept = thw_agent_keep(self, store_handle(env, arguments[0]), options, len, &error);
    free(options);
    return text_taken(env, kept, &error);
}

/* session(): where the conversation is kept, as JSON. */
static napi_value session(napi_env env, napi_callback_info info) {
    thw_agent *self = unwrap(env, info, 0, NULL);
    if (self == NULL) return NULL;
    thw_error error = THW_ERROR_INIT;
    return text_taken(env, thw_agent_session(self, &error), &error);
}

static napi_value stop(napi_env env, napi_callback_info info) {
    thw_agent *self = unwrap(env, info, 0, NULL);
    if (self != NULL) thw_agent_abort(self);
    return undefined(env);
}

static napi_value is_running(napi_env env, napi_callback_info info) {
    thw_agent *self = unwrap(env, info, 0, NULL);
    napi_value value;
    napi_get_boolean(env, self != NULL && thw_agent_is_running(self) != 0, &value);
    return value;
}

void agent_init(napi_env env, napi_value exports) {
    const napi_property_descriptor methods[] = {
        METHOD("prompt", prompt),
        METHOD("promptJson", prompt_json),
        METHOD("steer", steer),
        METHOD("followUp", follow_up),
        METHOD("abort", stop),
        METHOD("isRunning", is_running),
        METHOD("conversation", conversation),
        METHOD("setConversation", set_conversation),
        METHOD("keep", keep),
        METHOD("session", session),
    };
    add_class(env, exports, "Agent", make, methods, LENGTH(methods));
}
