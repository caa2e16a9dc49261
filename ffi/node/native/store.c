/* Store: a file of conversations. */
#include "native.h"

typedef struct {
    /* NULL once it is closed. */
    thw_store *handle;
} store;

static void finalize(napi_env env, void *data, void *hint) {
    (void)env;
    (void)hint;
    store *self = data;
    thw_store_free(self->handle);
    free(self);
}

/* new Store(path) */
static napi_value make(napi_env env, napi_callback_info info) {
    napi_value path_value, object;
    size_t count = 1, len;
    napi_get_cb_info(env, info, &count, &path_value, &object, NULL);
    char *path = text_of(env, path_value, &len);
    if (path == NULL) return NULL;
    thw_error error = THW_ERROR_INIT;
    thw_store *handle = thw_store_open(path, len, &error);
    free(path);
    if (handle == NULL) return failure_throw(env, &error, NULL);
    store *self = malloc(sizeof *self);
    if (self != NULL) self->handle = handle;
    if (self == NULL || napi_wrap(env, object, self, finalize, NULL, NULL) != napi_ok) {
        thw_store_free(handle);
        free(self);
        return failure_type(env, "a store is made with `new`");
    }
    return object;
}

thw_store *store_handle(napi_env env, napi_value object) {
    void *data = NULL;
    napi_unwrap(env, object, &data);
    return data == NULL ? NULL : ((store *)data)->handle;
}

/* ask(request): both are JSON. */
static napi_value ask(napi_env env, napi_callback_info info) {
    napi_value value;
    size_t len;
    store *self = unwrap(env, info, 1, &value);
    char *request = self == NULL ? NULL : text_of(env, value, &len);
    if (request == NULL) return NULL;
    thw_error error = THW_ERROR_INIT;
    char *answer = thw_store_ask(self->handle, request, len, &error);
    free(request);
    return text_taken(env, answer, &error);
}

static napi_value close_store(napi_env env, napi_callback_info info) {
    store *self = unwrap(env, info, 0, NULL);
    if (self == NULL) return NULL;
    thw_store_free(self->handle);
    self->handle = NULL;
    return undefined(env);
}

void store_init(napi_env env, napi_value exports) {
    const napi_property_descriptor methods[] = { METHOD("ask", ask), METHOD("close", close_store) };
    add_class(env, exports, "Store", make, methods, LENGTH(methods));
}
