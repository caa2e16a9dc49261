// A plugin that breaks the rules of the ABI, one at a time. What is wrong with the file, its manifest, its entry or its
// tables is chosen when it is compiled; what is wrong with a stream by the options it is opened with; what is wrong with
// a call by the tool that is called.

#include "thalweg_plugin.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifndef ID
#define ID "test.hostile"
#endif

static const thw_host_services *services;

static thw_str str(const char *s) {
  thw_str out;
  out.ptr = (const uint8_t *)s;
  out.len = strlen(s);
  return out;
}

static int holds(const thw_str *text, const char *word) {
  size_t len = strlen(word);
  for (size_t i = 0; i + len <= text->len; i++) {
    if (memcmp(text->ptr + i, word, len) == 0) return 1;
  }
  return 0;
}

// ---- A codec ----

typedef struct stream {
  char mode[64];
} stream;

static int is(const stream *s, const char *mode) { return strcmp(s->mode, mode) == 0; }

static thw_status codec_describe(void *context, thw_str *json) {
  (void)context;
#ifdef DESCRIBE_NOT_JSON
  *json = str("a dialect");
#else
  *json = str("{\"dialect\":\"hostile\",\"framing\":\"sse\"}");
#endif
  return THW_OK;
}

static thw_status codec_open(void *context, const thw_str *options, void **out, thw_error *error) {
  (void)context;
  (void)error;
  if (holds(options, "open_null")) return THW_OK;
  if (holds(options, "open_silent")) return THW_E_INVALID;
  stream *s = calloc(1, sizeof *s);
  size_t len = options->len < sizeof s->mode ? options->len : sizeof s->mode - 1;
  memcpy(s->mode, options->ptr, len);
  *out = s;
  return THW_OK;
}

static thw_status codec_encode_message(void *at, const thw_str *message, thw_str *out, thw_error *error) {
  stream *s = at;
  if (is(s, "encode_not_utf8")) {
    *out = str("\xff");
  } else if (is(s, "encode_null")) {
    out->ptr = NULL;
    out->len = 12;
  } else if (is(s, "long_error")) {
    memset(error->message, 'x', sizeof error->message);
    error->message_len = 4000000000u;
    return THW_E_REMOTE;
  } else {
    *out = *message;
  }
  return THW_OK;
}

static thw_status codec_encode_request(void *at, const thw_str *request, thw_http_request *out, thw_error *error) {
  stream *s = at;
  (void)error;
  out->method = str("POST");
  out->path = str("/");
  out->body_head = *request;
  if (is(s, "null_headers")) {
    out->headers = NULL;
    out->headers_len = 3;
  }
  return THW_OK;
}

static thw_status codec_decode(void *at, const thw_frame *frames, uint32_t frames_len, uint32_t *next, thw_event *events,
                               uint32_t events_cap, uint32_t *events_len, thw_error *error) {
  stream *s = at;
  (void)error;
  uint32_t count = 0;
  uint32_t i = *next;
  for (; i < frames_len && count < events_cap; i++) {
    memset(&events[count], 0, sizeof events[count]);
    events[count].kind = THW_EVENT_TEXT;
    events[count].text = frames[i].data;
    if (is(s, "past_the_end")) events[count].text.len++;
    if (is(s, "before_the_start")) events[count].text.ptr--;
    if (is(s, "null_slice")) events[count].text.ptr = NULL;
    if (is(s, "huge_slice")) events[count].text.len = (size_t)-1;
    if (is(s, "inside_a_character")) events[count].text.len--;
    if (is(s, "aux_elsewhere")) events[count].aux = str("elsewhere");
    if (is(s, "scratch_not_utf8")) {
      events[count].text = str("\xc3");
      events[count].flags = THW_FLAG_SCRATCH;
    }
    if (is(s, "scratch_null")) {
      events[count].text.ptr = NULL;
      events[count].flags = THW_FLAG_SCRATCH;
    }
    count++;
  }
  if (is(s, "no_progress")) return THW_MORE;
  if (is(s, "unknown_status")) return 77;
  if (is(s, "fails")) return THW_E_PROTOCOL;
  *events_len = is(s, "too_many_events") ? events_cap + 1 : is(s, "far_too_many_events") ? UINT32_MAX : count;
  *next = is(s, "back") ? *next - 1 : is(s, "past_the_last_frame") ? frames_len + 1 : is(s, "stops_short") ? *next : i;
  return i < frames_len ? THW_MORE : THW_OK;
}

static thw_status codec_finish(void *at, thw_event *events, uint32_t events_cap, uint32_t *events_len, thw_error *error) {
  stream *s = at;
  (void)error;
  (void)events;
  *events_len = is(s, "too_many_at_end") ? events_cap + 1 : 0;
  return is(s, "never_ends") ? THW_MORE : THW_OK;
}

static void codec_reset(void *at) { (void)at; }
static void codec_close(void *at) { free(at); }

static const thw_codec CODEC = {
#if defined(CODEC_CUT)
  offsetof(thw_codec, decode),
#elif defined(CODEC_NO_SIZE)
  0,
#else
  sizeof(thw_codec),
#endif
  0,
  codec_describe,
  codec_open,
  codec_encode_message,
#ifdef CODEC_NULL_FUNCTION
  1 ? NULL : codec_encode_request,
#else
  codec_encode_request,
#endif
  codec_decode,
  codec_finish,
  codec_reset,
  codec_close,
};

// ---- Tools ----

static const char *const TOOLS[] = {
  "finish_twice", "unfinished", "finish_then_fail", "later", "on_cancel", "after_detach", "not_utf8", "unknown_status",
  "fail_silently", "wrong_finish_status", "late_cancel_callback", "report",
#ifdef BAD_TOOL_NAME
  "not a name",
#endif
};
#define TOOL_COUNT (sizeof TOOLS / sizeof TOOLS[0])

// What the engine answered to the last misuse; read by the tool `report`.
static pthread_mutex_t report_lock = PTHREAD_MUTEX_INITIALIZER;
static char report[256];

static void note(const char *what, thw_status status) {
  pthread_mutex_lock(&report_lock);
  size_t used = strlen(report);
  snprintf(report + used, sizeof report - used, "%s %d;", what, (int)status);
  pthread_mutex_unlock(&report_lock);
}

static thw_status answer(thw_sink *sink, const char *text) {
  thw_event event;
  memset(&event, 0, sizeof event);
  event.kind = THW_EVENT_TOOL_RESULT;
  event.text = str(text);
  return services->sink_push(sink, &event, 1);
}

static void pause_ms(long ms) {
  struct timespec time = { 0, ms * 1000000 };
  nanosleep(&time, NULL);
}

typedef struct job {
  thw_sink *sink;
  thw_cancel *cancel;
  pthread_mutex_t lock;
  pthread_cond_t wake;
  int cancelled;
} job;

static void *run_later(void *at) {
  job *j = at;
  pause_ms(20);
  answer(j->sink, "late ");
  answer(j->sink, "but here");
  services->sink_finish(j->sink, THW_OK, NULL);
  free(j);
  return NULL;
}

static void *run_after_detach(void *at) {
  job *j = at;
  while (!services->is_cancelled(j->cancel)) pause_ms(1);
  // The engine cancels and stops listening in one go; the push may come in between.
  thw_status status = THW_OK;
  for (int i = 0; i < 1000 && status == THW_OK; i++) {
    status = answer(j->sink, "anyone?");
    pause_ms(1);
  }
  note("push", status);
  note("finish", services->sink_finish(j->sink, THW_OK, NULL));
  note("gone", services->is_cancelled(j->cancel));
  free(j);
  return NULL;
}

static void wake_up(void *at) {
  job *j = at;
  pthread_mutex_lock(&j->lock);
  j->cancelled++;
  pthread_cond_signal(&j->wake);
  pthread_mutex_unlock(&j->lock);
}

static void *run_on_cancel(void *at) {
  job *j = at;
  uint64_t registration = services->on_cancel(j->cancel, wake_up, j);
  pthread_mutex_lock(&j->lock);
  while (!j->cancelled) pthread_cond_wait(&j->wake, &j->lock);
  pthread_mutex_unlock(&j->lock);
  services->off_cancel(j->cancel, registration);
  services->off_cancel(j->cancel, registration);
  services->sink_finish(j->sink, THW_E_CANCELLED, NULL);
  // Nothing holds `j` any more: the callback is over.
  free(j);
  return NULL;
}

static thw_status start(void *(*run)(void *), thw_sink *sink, thw_cancel *cancel) {
  job *j = calloc(1, sizeof *j);
  j->sink = sink;
  j->cancel = cancel;
  pthread_mutex_init(&j->lock, NULL);
  pthread_cond_init(&j->wake, NULL);
  pthread_t thread;
  if (pthread_create(&thread, NULL, run, j) != 0) {
    free(j);
    return THW_E_NOMEM;
  }
  pthread_detach(thread);
  return THW_PENDING;
}

static void count_call(void *at) { (*(int *)at)++; }

static uint32_t tool_count(void *context) {
  (void)context;
#ifdef TOO_MANY_TOOLS
  return 4000000000u;
#else
  return TOOL_COUNT;
#endif
}

static thw_status tool_describe(void *context, uint32_t index, thw_tool_info *out) {
  (void)context;
  if (index >= TOOL_COUNT) return THW_E_INVALID;
  out->flags = THW_TOOL_PARALLEL;
  out->name = str(TOOLS[index]);
  out->description = str("Breaks a rule.");
  out->parameters = str("{\"type\":\"object\"}");
  return THW_OK;
}

static thw_status tool_invoke(void *context, uint32_t index, const thw_str *call_id, const thw_str *arguments,
                              thw_sink *sink, thw_cancel *cancel, thw_error *error) {
  (void)context;
  (void)call_id;
  (void)arguments;
  (void)error;
  const char *tool = TOOLS[index];
  if (strcmp(tool, "finish_twice") == 0) {
    answer(sink, "once");
    services->sink_finish(sink, THW_OK, NULL);
    note("finish", services->sink_finish(sink, THW_OK, NULL));
    note("push", answer(sink, "twice"));
    return THW_OK;
  }
  if (strcmp(tool, "unfinished") == 0) return THW_OK;
  if (strcmp(tool, "finish_then_fail") == 0) {
    answer(sink, "done");
    services->sink_finish(sink, THW_OK, NULL);
    return THW_E_FAILED;
  }
  if (strcmp(tool, "later") == 0) return start(run_later, sink, cancel);
  if (strcmp(tool, "on_cancel") == 0) return start(run_on_cancel, sink, cancel);
  if (strcmp(tool, "after_detach") == 0) return start(run_after_detach, sink, cancel);
  if (strcmp(tool, "not_utf8") == 0) {
    note("push", answer(sink, "\xff\xfe"));
    services->sink_finish(sink, THW_OK, NULL);
    return THW_OK;
  }
  if (strcmp(tool, "unknown_status") == 0) return 42;
  if (strcmp(tool, "fail_silently") == 0) return THW_E_FAILED;
  if (strcmp(tool, "wrong_finish_status") == 0) {
    services->sink_finish(sink, THW_MORE, NULL);
    return THW_OK;
  }
  if (strcmp(tool, "late_cancel_callback") == 0) {
    // Registered and forgotten: it must not be called after the end, when `called` is gone.
    int called = 0;
    services->on_cancel(cancel, count_call, &called);
    services->on_cancel(cancel, NULL, NULL);
    answer(sink, called ? "called" : "not called");
    services->sink_finish(sink, THW_OK, NULL);
    return THW_OK;
  }
  pthread_mutex_lock(&report_lock);
  answer(sink, report);
  report[0] = 0;
  pthread_mutex_unlock(&report_lock);
  services->sink_finish(sink, THW_OK, NULL);
  return THW_OK;
}

static const thw_tool TOOL = { sizeof(thw_tool), 0, tool_count, tool_describe, tool_invoke };

// ---- A list of models, and vectors ----

static thw_status models_list(void *context, thw_str *json, thw_error *error) {
  (void)context;
  (void)json;
  (void)error;
#if defined(MODELS_NULL)
  json->ptr = NULL;
  json->len = 7;
#elif defined(MODELS_NOT_UTF8)
  *json = str("[\xff]");
#elif defined(MODELS_HUGE)
  json->ptr = (const uint8_t *)"[]";
  json->len = (size_t)1 << 40;
#elif defined(MODELS_STATUS)
  return THW_PENDING;
#elif defined(MODELS_NOT_A_LIST)
  *json = str("{\"id\":1}");
#else
  *json = str("[{\"id\":\"m\"}]");
#endif
  return THW_OK;
}

static const thw_models MODELS = { sizeof(thw_models), 0, models_list };

static const float VALUES[] = { 1.0f, 2.0f, 3.0f, 4.0f, 5.0f };

static thw_status embed_describe(void *context, thw_str *json) {
  (void)context;
  *json = str("{\"dialect\":\"hostile\"}");
  return THW_OK;
}

static thw_status embed_encode(void *at, const thw_str *request, thw_http_request *out, thw_error *error) {
  return codec_encode_request(at, request, out, error);
}

static thw_status embed_decode(void *at, const thw_frame *reply, thw_embeddings *out, thw_error *error) {
  stream *s = at;
  (void)reply;
  (void)error;
  out->values = VALUES;
  out->count = 2;
  out->dimensions = 2;
  if (is(s, "one_too_few")) out->count = 1;
  if (is(s, "far_too_many")) out->count = UINT32_MAX;
  if (is(s, "null_values")) out->values = NULL;
  if (is(s, "misaligned_values")) out->values = (const float *)(uintptr_t)((const char *)VALUES + 1);
  if (is(s, "no_dimensions")) out->dimensions = 0;
  if (is(s, "huge_dimensions")) out->dimensions = UINT32_MAX;
  if (is(s, "model_not_utf8")) out->model = str("\xff");
  if (is(s, "model_null")) out->model.len = 3;
  if (is(s, "negative_tokens")) out->input_tokens = -7;
  if (is(s, "unknown_status")) return 9;
  return THW_OK;
}

static const thw_embed EMBED = {
  sizeof(thw_embed), 0, embed_describe, codec_open, embed_encode, embed_decode, codec_close,
};

// ---- A dialect from the side of the server ----

static thw_status given(const stream *s, thw_str *out) {
  *out = str("fine");
  if (is(s, "not_utf8")) *out = str("\xff");
  if (is(s, "null")) out->ptr = NULL;
  if (is(s, "huge")) out->len = (size_t)-1;
  return is(s, "unknown_status") ? 9 : is(s, "fails") ? THW_E_INVALID : THW_OK;
}

static thw_status serve_parse(void *at, const thw_http_request *request, thw_str *canonical, thw_error *error) {
  (void)request;
  (void)error;
  return given(at, canonical);
}

static thw_status serve_encode(void *at, const thw_event *events, uint32_t count, thw_str *piece, thw_error *error) {
  (void)events;
  (void)count;
  (void)error;
  return given(at, piece);
}

static thw_status serve_finish(void *at, thw_str *piece, thw_error *error) {
  (void)error;
  return given(at, piece);
}

static const thw_serve SERVE = {
  sizeof(thw_serve), 0, embed_describe, codec_open, serve_parse, serve_encode, serve_finish, codec_close,
};

// ---- The plugin ----

static const void *get_interface(void *context, const char *id) {
  (void)context;
  if (strcmp(id, THW_INTERFACE_CODEC) == 0) return &CODEC;
  if (strcmp(id, THW_INTERFACE_TOOL) == 0) return &TOOL;
  if (strcmp(id, THW_INTERFACE_MODELS) == 0) return &MODELS;
  if (strcmp(id, THW_INTERFACE_EMBED) == 0) return &EMBED;
  if (strcmp(id, THW_INTERFACE_SERVE) == 0) return &SERVE;
  return NULL;
}

#ifndef NO_MANIFEST
const thw_manifest thw_plugin_manifest_v1 = {
#ifdef WRONG_MAGIC
  0x12345678u,
#else
  THW_MANIFEST_MAGIC,
#endif
#ifdef SHORT_MANIFEST
  64,
#else
  sizeof(thw_manifest),
#endif
#ifdef WRONG_MAJOR
  2,
#else
  THW_ABI_MAJOR,
#endif
  THW_ABI_MINOR,
#ifdef NEEDS_NEWER_HOST
  9,
#else
  0,
#endif
  sizeof(void *) * 8,
#ifdef WRONG_EVENT_SIZE
  48,
#else
  sizeof(thw_event),
#endif
#ifdef PANIC_ABORT
  THW_MANIFEST_PANIC_ABORT,
#else
  0,
#endif
  ID, "0.0.1", "c", ""
};
#endif

#ifndef NO_ENTRY
thw_status thw_plugin_entry_v1(const thw_host *host, const thw_host_services *given, uint32_t host_minor,
                               thw_plugin *plugin, thw_error *error) {
  (void)host_minor;
  services = given;
  thw_str target = str("hostile"), message = str("started");
  if (THW_HAS(given, log)) given->log(host, 3, &target, &message);
#ifdef ENTRY_FAILS
  const char *why = "no luck today";
  strcpy((char *)error->message, why);
  error->message_len = (uint32_t)strlen(why);
  return THW_E_FAILED;
#else
  (void)error;
#endif
#ifdef ENTRY_UNKNOWN_STATUS
  return 5;
#endif
#ifdef PLUGIN_TOO_LARGE
  plugin->struct_size = 4096;
#endif
#ifdef PLUGIN_NO_SIZE
  plugin->struct_size = 0;
#endif
#ifndef NO_GET_INTERFACE
  plugin->get_interface = get_interface;
#else
  (void)plugin;
  (void)get_interface;
#endif
  return THW_OK;
}
#else
// Keeps the tables from being unused.
THW_EXPORT const void *no_entry(void);
const void *no_entry(void) { return get_interface(NULL, THW_INTERFACE_CODEC); }
#endif
