/* What the files of the addon share.
 *
 * A thin layer over thalweg.h for the JavaScript in lib/, which checks all that a person passes. Events come out in one string and
 * one array of numbers for all runs of an engine at a time, so a wake-up costs a few calls however many events it brings.
 */
#ifndef THALWEG_NATIVE_H
#define THALWEG_NATIVE_H

#define NAPI_VERSION 8
#include <node_api.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <thalweg.h>

/* The way from the engine's threads to the one of JavaScript. Held by the environment, by each tool and each call. */
typedef struct bridge {
    atomic_int holders;
    pthread_mutex_t mutex;
    /* NULL once the environment ends. */
    napi_threadsafe_function function;
} bridge;

/* Of an environment: one main thread or worker. */
typedef struct {
    bridge *bridge;
    napi_ref run_class, call_class;
    /* Makes an Error of a thw_error. */
    napi_ref failure;
} instance;

/* What crosses the bridge; runs on the thread of JavaScript, with `env` NULL when that is gone. */
typedef struct message {
    void (*handle)(napi_env env, struct message *message);
    void *subject;
} message;

/* bridge.c */
bridge *bridge_new(napi_env env);
bridge *bridge_hold(bridge *bridge);
void bridge_release(bridge *bridge);
/* False if nobody is there to get it. */
bool bridge_post(bridge *bridge, void (*handle)(napi_env, message *), void *subject);

/* failure.c */
instance *instance_of(napi_env env);
/* Throws and gives NULL. `result` is the JSON of a run, or NULL. */
napi_value failure_throw(napi_env env, const thw_error *error, const thw_str *result);
/* The same for what is wrong with the addon itself. */
napi_value failure_type(napi_env env, const char *what);

/* value.c */
napi_value text_value(napi_env env, const char *text, size_t len);
/* A string as UTF-8, to be freed; NULL with an exception if it is none. */
char *text_of(napi_env env, napi_value value, size_t *len);
/* A text that the library gave away, or throws the failure that is there in its place. */
napi_value text_taken(napi_env env, char *text, const thw_error *error);
/* The arguments of a call, and what `this` wraps. */
void *unwrap(napi_env env, napi_callback_info info, size_t count, napi_value *arguments);
napi_value undefined(napi_env env);
/* Makes a class and puts it on the exports; gives a reference to it. */
napi_ref add_class(napi_env env, napi_value exports, const char *name, napi_callback make,
                   const napi_property_descriptor *methods, size_t count);
napi_value run_new(napi_env env, thw_run *handle);

/* One class each. */
void engine_init(napi_env env, napi_value exports);
void agent_init(napi_env env, napi_value exports);
void store_init(napi_env env, napi_value exports);
napi_ref run_init(napi_env env, napi_value exports);
napi_ref call_init(napi_env env, napi_value exports);

thw_engine *engine_handle(napi_env env, napi_value object);
/* NULL if it is none, or closed. */
thw_store *store_handle(napi_env env, napi_value object);

/* A tool, a hook or a provider: a function, called with a call. */
typedef struct {
    bridge *bridge;
    napi_ref function;
} tool;

thw_status call_invoke(void *tool, const thw_str *id, const thw_str *arguments, thw_sink *sink, thw_cancel *cancel,
                       thw_error *error);

#define METHOD(name, function) { (name), NULL, (function), NULL, NULL, NULL, napi_default, NULL }
#define LENGTH(array) (sizeof(array) / sizeof *(array))

#endif
