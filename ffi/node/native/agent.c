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

/* One of the arrays [name, description, parameters, flags, function]; `texts` are to be freed. */
static bool read_tool(napi_env env, napi_value array, thw_host_tool *out, char **texts) {
    napi_value value;
    thw_str *parts[3] = { &out->name, &out->description, &out->parameters };
    for (uint32_t i = 0; i < 3; i++) {
        size_t len;
        if (napi_get_element(env, array, i, &value) != napi_ok || (texts[i] = text_of(env, value, &len)) == NULL) return false;
        *parts[i] = (thw_str){ (const uint8_t *)texts[i], len };
    }
    tool *self = calloc(1, sizeof *self);
    out->struct_size = sizeof *out;
    out->invoke = call_invoke;
    out->drop = drop_tool;
    if (self == NULL || napi_get_element(env, array, 3, &value) != napi_ok ||
        napi_get_value_uint32(env, value, &out->flags) != napi_ok || napi_get_element(env, array, 4, &value) != napi_ok ||
        napi_create_reference(env, value, 1, &self->function) != napi_ok) {
        free(self);
        return false;
    }
    self->bridge = bridge_hold(instance_of(env)->bridge);
    out->context = self;
    return true;
}

/* new Agent(engine, options, tools) */
static napi_value make(napi_env env, napi_callback_info info) {
    napi_value arguments[3], object, element;
    size_t given = 3, len;
    uint32_t count = 0, read = 0;
    napi_get_cb_info(env, info, &given, arguments, &object, NULL);
    char *options = text_of(env, arguments[1], &len);
    if (options == NULL || napi_get_array_length(env, arguments[2], &count) != napi_ok) {
        free(options);
        return failure_type(env, "tools are an array");
    }
    thw_host_tool *tools = calloc(count + 1, sizeof *tools);
    char **texts = calloc(count + 1, 3 * sizeof *texts);
    while (tools != NULL && texts != NULL && read < count && napi_get_element(env, arguments[2], read, &element) == napi_ok &&
           read_tool(env, element, &tools[read], &texts[3 * read]))
        read++;
    thw_error error = THW_ERROR_INIT;
    thw_agent *handle = NULL;
    bool is_read = tools != NULL && texts != NULL && read == count;
    if (is_read) {
        /* Takes the tools over, whatever comes of it. */
        thw_callbacks callbacks = THW_CALLBACKS_INIT;
        callbacks.tools_len = count;
        callbacks.tools = tools;
        handle = thw_agent_new(engine_handle(env, arguments[0]), options, len, &callbacks, &error);
    } else {
        for (uint32_t i = 0; i < read; i++) drop_tool(tools[i].context);
    }
    for (uint32_t i = 0; texts != NULL && i < 3 * count; i++) free(texts[i]);
    free(texts);
    free(tools);
    free(options);
    if (!is_read) return failure_type(env, "a tool could not be read");
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
    return say(env, info, thw_agent_steer);
}

static napi_value follow_up(napi_env env, napi_callback_info info) {
    return say(env, info, thw_agent_follow_up);
}

static napi_value set_conversation(napi_env env, napi_callback_info info) {
    return say(env, info, thw_agent_set_conversation);
}

static napi_value conversation(napi_env env, napi_callback_info info) {
    thw_agent *self = unwrap(env, info, 0, NULL);
    if (self == NULL) return NULL;
    thw_error error = THW_ERROR_INIT;
    char *json = thw_agent_conversation(self, &error);
    if (json == NULL) return failure_throw(env, &error, NULL);
    napi_value value = text_value(env, json, strlen(json));
    thw_free(json);
    return value;
}

void agent_init(napi_env env, napi_value exports) {
    const napi_property_descriptor methods[] = {
        METHOD("prompt", prompt),
        METHOD("promptJson", prompt_json),
        METHOD("steer", steer),
        METHOD("followUp", follow_up),
        METHOD("conversation", conversation),
        METHOD("setConversation", set_conversation),
    };
    add_class(env, exports, "Agent", make, methods, LENGTH(methods));
}
