/* Bridge: from any thread to the one of JavaScript. */
#include "native.h"

static void release(bridge *self) {
    if (atomic_fetch_sub(&self->holders, 1) > 1) return;
    pthread_mutex_destroy(&self->mutex);
    free(self);
}

void bridge_release(bridge *self) {
    if (self != NULL) release(self);
}

bridge *bridge_hold(bridge *self) {
    atomic_fetch_add(&self->holders, 1);
    return self;
}

static void deliver(napi_env env, napi_value function, void *context, void *data) {
    (void)function;
    (void)context;
    message *self = data;
    self->handle(env, self);
    free(self);
}

/* The environment ends. Who posts has the mutex, so nobody is inside of the function that goes away. */
static void ended(napi_env env, void *data, void *hint) {
    (void)env;
    (void)hint;
    bridge *self = data;
    pthread_mutex_lock(&self->mutex);
    self->function = NULL;
    pthread_mutex_unlock(&self->mutex);
    release(self);
}

bridge *bridge_new(napi_env env) {
    bridge *self = calloc(1, sizeof *self);
    if (self == NULL) return NULL;
    /* Its maker's, and its function's. */
    atomic_init(&self->holders, 2);
    pthread_mutex_init(&self->mutex, NULL);
    napi_value name;
    napi_create_string_utf8(env, "thalweg", NAPI_AUTO_LENGTH, &name);
    if (napi_create_threadsafe_function(env, NULL, NULL, name, 0, 1, self, ended, NULL, deliver, &self->function) != napi_ok) {
        pthread_mutex_destroy(&self->mutex);
        free(self);
        return NULL;
    }
    /* Runs that are waited for keep the process alive, this does not. */
    napi_unref_threadsafe_function(env, self->function);
    return self;
}

bool bridge_post(bridge *self, void (*handle)(napi_env, message *), void *subject) {
    message *posted = malloc(sizeof *posted);
    if (posted == NULL) return false;
    *posted = (message){ handle, subject };
    pthread_mutex_lock(&self->mutex);
    bool is_posted = self->function != NULL &&
                     napi_call_threadsafe_function(self->function, posted, napi_tsfn_nonblocking) == napi_ok;
    pthread_mutex_unlock(&self->mutex);
    if (!is_posted) free(posted);
    return is_posted;
}
