/* Run: all turns of one prompt. */
#include "native.h"

typedef struct {
    thw_run *handle;
} run;

static void finalize(napi_env env, void *data, void *hint) {
    (void)env;
    (void)hint;
    run *self = data;
    thw_run_free(self->handle);
    free(self);
}

static napi_value make(napi_env env, napi_callback_info info) {
    napi_value object = NULL;
    napi_get_cb_info(env, info, NULL, NULL, &object, NULL);
    return object;
}

/* Takes over `handle`. */
napi_value run_new(napi_env env, thw_run *handle) {
    napi_value class, object;
    run *self = malloc(sizeof *self);
    if (self != NULL) self->handle = handle;
    if (self == NULL || napi_get_reference_value(env, instance_of(env)->run_class, &class) != napi_ok ||
        napi_new_instance(env, class, 0, NULL, &object) != napi_ok || napi_wrap(env, object, self, finalize, NULL, NULL) != napi_ok) {
        free(self);
        thw_run_abort(handle);
        thw_run_free(handle);
        return failure_type(env, "a run could not be made");
    }
    return object;
}

static napi_value run_abort(napi_env env, napi_callback_info info) {
    run *self = unwrap(env, info, 0, NULL);
    if (self != NULL) thw_run_abort(self->handle);
    return NULL;
}

/* drain(number): hands its events to the drain of the engine. */
static napi_value run_drain(napi_env env, napi_callback_info info) {
    napi_value value;
    run *self = unwrap(env, info, 1, &value);
    int32_t number;
    if (self == NULL || napi_get_value_int32(env, value, &number) != napi_ok) return failure_type(env, "a number is wanted");
    thw_error error = THW_ERROR_INIT;
    if (thw_run_drain(self->handle, (void *)(uintptr_t)number, &error) < 0) return failure_throw(env, &error, NULL);
    return undefined(env);
}

/* isOver(): false if the run goes on, true if it ended well; throws how it failed. */
static napi_value is_over(napi_env env, napi_callback_info info) {
    run *self = unwrap(env, info, 0, NULL);
    if (self == NULL) return NULL;
    thw_error error = THW_ERROR_INIT;
    thw_status status = thw_run_wait(self->handle, 0, &error);
    if (status < 0) {
        thw_str result = { NULL, 0 };
        bool has_result = thw_run_result(self->handle, &result, NULL) == THW_OK;
        return failure_throw(env, &error, has_result ? &result : NULL);
    }
    napi_value value;
    napi_get_boolean(env, status == THW_OK, &value);
    return value;
}

/* result(): its JSON; undefined while it goes on. */
static napi_value run_result(napi_env env, napi_callback_info info) {
    run *self = unwrap(env, info, 0, NULL);
    if (self == NULL) return NULL;
    thw_str result = { NULL, 0 };
    thw_error error = THW_ERROR_INIT;
    thw_status status = thw_run_result(self->handle, &result, &error);
    if (status < 0) return failure_throw(env, &error, NULL);
    return status == THW_OK ? text_value(env, (const char *)result.ptr, result.len) : undefined(env);
}

/* Waits on a thread of the pool until what a run said is on the disk. */
typedef struct {
    thw_run *handle;
    /* Holds the run. */
    napi_ref object;
    napi_deferred promise;
    napi_async_work work;
} storing;

static void wait_for_disk(napi_env env, void *data) {
    (void)env;
    /* How the run ended is asked elsewhere. */
    thw_run_wait(((storing *)data)->handle, THW_FOREVER, NULL);
}

static void is_stored(napi_env env, napi_status status, void *data) {
    (void)status;
    storing *self = data;
    napi_resolve_deferred(env, self->promise, undefined(env));
    napi_delete_async_work(env, self->work);
    napi_delete_reference(env, self->object);
    free(self);
}

/* stored(): a promise, of a run that is over. */
static napi_value run_stored(napi_env env, napi_callback_info info) {
    napi_value object, promise, name;
    size_t count = 0;
    void *data = NULL;
    storing *self = calloc(1, sizeof *self);
    if (self == NULL) return failure_type(env, "out of memory");
    if (napi_get_cb_info(env, info, &count, NULL, &object, NULL) != napi_ok || napi_unwrap(env, object, &data) != napi_ok ||
        napi_create_string_utf8(env, "thalweg", NAPI_AUTO_LENGTH, &name) != napi_ok ||
        napi_create_async_work(env, NULL, name, wait_for_disk, is_stored, self, &self->work) != napi_ok) {
        free(self);
        return failure_type(env, "the method is called on something else");
    }
    self->handle = ((run *)data)->handle;
    if (napi_create_reference(env, object, 1, &self->object) != napi_ok ||
        napi_create_promise(env, &self->promise, &promise) != napi_ok || napi_queue_async_work(env, self->work) != napi_ok) {
        napi_delete_async_work(env, self->work);
        if (self->object != NULL) napi_delete_reference(env, self->object);
        free(self);
        return failure_type(env, "a run could not be waited for");
    }
    return promise;
}

napi_ref run_init(napi_env env, napi_value exports) {
    const napi_property_descriptor methods[] = {
        METHOD("abort", run_abort),
        METHOD("drain", run_drain),
        METHOD("isOver", is_over),
        METHOD("result", run_result),
        METHOD("stored", run_stored),
    };
    return add_class(env, exports, "Run", make, methods, LENGTH(methods));
}
