/* The addon as node loads it, once for the main thread and once for each worker. */
#include "native.h"

static void finalize(napi_env env, void *data, void *hint) {
    (void)env;
    (void)hint;
    instance *self = data;
    bridge_release(self->bridge);
    free(self);
}

/* setFailure(function): what makes errors. */
static napi_value set_failure(napi_env env, napi_callback_info info) {
    napi_value function;
    size_t count = 1;
    if (napi_get_cb_info(env, info, &count, &function, NULL, NULL) != napi_ok ||
        napi_create_reference(env, function, 1, &instance_of(env)->failure) != napi_ok)
        return failure_type(env, "a function is wanted");
    return undefined(env);
}

static napi_value version(napi_env env, napi_callback_info info) {
    (void)info;
    return text_value(env, thw_version(), strlen(thw_version()));
}

NAPI_MODULE_INIT() {
    instance *self = calloc(1, sizeof *self);
    if (self == NULL) return failure_type(env, "out of memory");
    self->bridge = bridge_new(env);
    if (self->bridge == NULL || napi_set_instance_data(env, self, finalize, NULL) != napi_ok) {
        bridge_release(self->bridge);
        free(self);
        return failure_type(env, "the addon could not be set up");
    }
    engine_init(env, exports);
    agent_init(env, exports);
    store_init(env, exports);
    self->run_class = run_init(env, exports);
    self->call_class = call_init(env, exports);
    const napi_property_descriptor functions[] = { METHOD("setFailure", set_failure), METHOD("version", version) };
    napi_define_properties(env, exports, LENGTH(functions), functions);
    return exports;
}
