/* Errors: a thw_error becomes an Error of lib/errors.js. */
#include "native.h"

instance *instance_of(napi_env env) {
    void *data = NULL;
    napi_get_instance_data(env, &data);
    return data;
}

napi_value failure_type(napi_env env, const char *what) {
    bool is_pending = false;
    napi_is_exception_pending(env, &is_pending);
    if (!is_pending) napi_throw_type_error(env, NULL, what);
    return NULL;
}

napi_value failure_throw(napi_env env, const thw_error *error, const thw_str *result) {
    napi_value make, receiver, arguments[6], failure;
    bool is_made = napi_get_reference_value(env, instance_of(env)->failure, &make) == napi_ok && make != NULL &&
                   napi_get_undefined(env, &receiver) == napi_ok &&
                   napi_create_int32(env, error->code, &arguments[0]) == napi_ok &&
                   (arguments[1] = text_value(env, (const char *)error->message, error->message_len)) != NULL &&
                   napi_create_int32(env, error->http_status, &arguments[2]) == napi_ok &&
                   napi_get_boolean(env, (error->flags & THW_ERROR_RETRYABLE) != 0, &arguments[3]) == napi_ok &&
                   napi_create_int64(env, error->retry_after_ms, &arguments[4]) == napi_ok;
    if (!is_made) return failure_type(env, "the addon could not make an error");
    if (result == NULL) napi_get_null(env, &arguments[5]);
    else if ((arguments[5] = text_value(env, (const char *)result->ptr, result->len)) == NULL) return NULL;
    if (napi_call_function(env, receiver, make, 6, arguments, &failure) == napi_ok) napi_throw(env, failure);
    return NULL;
}
