// A plugin as it was written against version 1.0 of the header, which lies beside it. Neither file is ever changed: what
// was built from them must load and work for as long as there is a version 1.
//
// A codec whose frames are words, a provider that says words back, and a tool that adds numbers, on a thread of its own
// when it is asked to wait.

#include "thalweg_plugin.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct engine {
  const thw_host *host;
  const thw_host_services *services;
  const thw_json *json;
} engine;

static engine ENGINE;

static thw_str str(const char *text) {
  thw_str s;
  s.ptr = (const uint8_t *)text;
  s.len = strlen(text);
  return s;
}

static thw_status fail(thw_error *error, thw_status code, const char *message) {
  if (error != NULL && error->struct_size >= sizeof *error) {
    int len = snprintf((char *)error->message, sizeof error->message, "%s", message);
    error->code = code;
    error->message_len = len < 0 ? 0 : (uint32_t)len;
  }
  return code;
}

static void put(thw_event *event, uint32_t kind, thw_str text) {
  memset(event, 0, sizeof *event);
  event->kind = kind;
  event->text = text;
}

// ---- The codec: each frame is a word, `!` is an error, the end is a stop ----

typedef struct stream {
  char out[256];
  uint32_t frames;
  int ended;
  thw_http_header header;
} stream;

static thw_status codec_describe(void *context, thw_str *json) {
  (void)context;
  *json = str("{\"dialect\":\"golden\",\"framing\":\"ndjson\",\"auth\":{\"kind\":\"none\"}}");
  return THW_OK;
}

static thw_status codec_open(void *context, const thw_str *options, void **out, thw_error *error) {
  (void)context;
  if (options->len == 0) return fail(error, THW_E_INVALID, "no options");
  *out = calloc(1, sizeof(stream));
  return *out == NULL ? THW_E_NOMEM : THW_OK;
}

static thw_status codec_encode_message(void *at, const thw_str *message, thw_str *out, thw_error *error) {
  stream *s = at;
  thw_str pointer = str("/content/0/text"), text;
  if (ENGINE.json->find(message, &pointer, &text) != THW_OK) return fail(error, THW_E_INVALID, "no text");
  if (text.len > sizeof s->out) return fail(error, THW_E_INVALID, "too long");
  memcpy(s->out, text.ptr, text.len);
  out->ptr = (const uint8_t *)s->out;
  out->len = text.len;
  return THW_OK;
}

static thw_status codec_encode_request(void *at, const thw_str *request, thw_http_request *out, thw_error *error) {
  stream *s = at;
  (void)request;
  if (out->struct_size < sizeof *out) return fail(error, THW_E_VERSION, "no room for the request");
  s->header.name = str("x-golden");
  s->header.value = str("1");
  out->headers = &s->header;
  out->headers_len = 1;
  out->method = str("POST");
  out->path = str("/golden");
  out->body_head = str("{\"words\":[");
  out->body_tail = str("]}");
  return THW_OK;
}

static thw_status codec_decode(void *at, const thw_frame *frames, uint32_t frames_len, uint32_t *next, thw_event *events,
                               uint32_t events_cap, uint32_t *events_len, thw_error *error) {
  stream *s = at;
  uint32_t count = 0, i = *next;
  (void)error;
  for (; i < frames_len && count < events_cap; i++, count++) {
    if (frames[i].data.len == 1 && frames[i].data.ptr[0] == '!') {
      put(&events[count], THW_EVENT_ERROR, str("a bad word"));
      events[count].num = THW_FAILURE_MALFORMED;
      events[count].flags = THW_FLAG_SCRATCH;
    } else {
      put(&events[count], THW_EVENT_TEXT, frames[i].data);
    }
    s->frames++;
  }
  *next = i;
  *events_len = count;
  return i < frames_len ? THW_MORE : THW_OK;
}

static thw_status codec_finish(void *at, thw_event *events, uint32_t events_cap, uint32_t *events_len, thw_error *error) {
  stream *s = at;
  (void)error;
  if (events_cap == 0) return THW_MORE;
  *events_len = 0;
  if (!s->ended) {
    put(&events[0], THW_EVENT_STOP, str("end"));
    events[0].num = THW_STOP_END;
    events[0].flags = THW_FLAG_SCRATCH;
    *events_len = 1;
    s->ended = 1;
  }
  return THW_OK;
}

static void codec_reset(void *at) { ((stream *)at)->ended = 0; }

static void codec_close(void *at) { free(at); }

static const thw_codec CODEC = {
  sizeof(thw_codec), 0, codec_describe, codec_open, codec_encode_message, codec_encode_request, codec_decode,
  codec_finish, codec_reset, codec_close,
};

// ---- The provider: says the last message back, byte by byte ----

static thw_status provider_describe(void *context, thw_str *json) {
  (void)context;
  *json = str("{\"provider\":\"golden\",\"models\":[{\"id\":\"echo\"}]}");
  return THW_OK;
}

static thw_status provider_start(void *context, const thw_str *request, thw_sink *sink, thw_cancel *cancel,
                                 thw_error *error) {
  const thw_host_services *services = ((engine *)context)->services;
  thw_str pointer = str("/messages/-1/content/0/text"), text;
  thw_event event;
  thw_status status = THW_OK;
  (void)cancel;
  if (ENGINE.json->find(request, &pointer, &text) != THW_OK) return fail(error, THW_E_INVALID, "no text");
  for (size_t i = 1; i + 1 < text.len && status == THW_OK; i++) {
    thw_str letter;
    letter.ptr = text.ptr + i;
    letter.len = 1;
    put(&event, THW_EVENT_TEXT, letter);
    status = services->sink_push(sink, &event, 1);
    if (status == THW_PENDING) status = services->sink_wait(sink, -1);
  }
  put(&event, THW_EVENT_STOP, str("end"));
  event.num = THW_STOP_END;
  services->sink_push(sink, &event, 1);
  services->sink_finish(sink, status == THW_OK ? THW_OK : THW_E_CANCELLED, NULL);
  return THW_OK;
}

static const thw_provider PROVIDER = { sizeof(thw_provider), 0, provider_describe, provider_start };

// ---- The tool: adds `a` and `b`; with `wait` it waits until it is cancelled ----

typedef struct job {
  thw_sink *sink;
  thw_cancel *cancel;
  pthread_mutex_t lock;
  pthread_cond_t wake;
  int cancelled;
} job;

static void on_cancel(void *user) {
  job *j = user;
  pthread_mutex_lock(&j->lock);
  j->cancelled = 1;
  pthread_cond_signal(&j->wake);
  pthread_mutex_unlock(&j->lock);
}

static void *wait_for_cancel(void *at) {
  job *j = at;
  uint64_t registration = ENGINE.services->on_cancel(j->cancel, on_cancel, j);
  pthread_mutex_lock(&j->lock);
  while (!j->cancelled) pthread_cond_wait(&j->wake, &j->lock);
  pthread_mutex_unlock(&j->lock);
  ENGINE.services->off_cancel(j->cancel, registration);
  ENGINE.services->sink_finish(j->sink, THW_E_CANCELLED, NULL);
  free(j);
  return NULL;
}

static uint32_t tool_count(void *context) {
  (void)context;
  return 1;
}

static thw_status tool_describe(void *context, uint32_t index, thw_tool_info *out) {
  (void)context;
  if (index != 0 || out->struct_size < sizeof *out) return THW_E_INVALID;
  out->flags = THW_TOOL_PARALLEL | THW_TOOL_READ_ONLY | THW_TOOL_IDEMPOTENT;
  out->name = str("add");
  out->description = str("Adds two numbers.");
  out->parameters = str("{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"},\"b\":{\"type\":\"integer\"}}}");
  return THW_OK;
}

static int number(const thw_str *json, const char *pointer, long *out) {
  thw_str at = str(pointer), value;
  char digits[32];
  if (ENGINE.json->find(json, &at, &value) != THW_OK || value.len >= sizeof digits) return 0;
  memcpy(digits, value.ptr, value.len);
  digits[value.len] = 0;
  *out = strtol(digits, NULL, 10);
  return 1;
}

static thw_status tool_invoke(void *context, uint32_t index, const thw_str *call_id, const thw_str *arguments,
                              thw_sink *sink, thw_cancel *cancel, thw_error *error) {
  const thw_host_services *services = ENGINE.services;
  thw_str pointer = str("/wait"), found;
  thw_event events[2];
  char sum[32];
  long a, b;
  (void)context, (void)index, (void)call_id;
  if (ENGINE.json->find(arguments, &pointer, &found) == THW_OK) {
    pthread_t thread;
    job *j = calloc(1, sizeof *j);
    if (j == NULL) return fail(error, THW_E_NOMEM, "no memory");
    j->sink = sink;
    j->cancel = cancel;
    pthread_mutex_init(&j->lock, NULL);
    pthread_cond_init(&j->wake, NULL);
    if (pthread_create(&thread, NULL, wait_for_cancel, j) != 0) {
      free(j);
      return fail(error, THW_E_NOMEM, "no thread");
    }
    pthread_detach(thread);
    return THW_PENDING;
  }
  if (!number(arguments, "/a", &a) || !number(arguments, "/b", &b)) return fail(error, THW_E_FAILED, "pass a and b");
  snprintf(sum, sizeof sum, "%ld", a + b);
  put(&events[0], THW_EVENT_TOOL_PROGRESS, str("adding"));
  events[0].num = 500;
  put(&events[1], THW_EVENT_TOOL_RESULT, str(sum));
  services->sink_push(sink, events, 2);
  services->sink_finish(sink, THW_OK, NULL);
  return THW_OK;
}

static const thw_tool TOOL = { sizeof(thw_tool), 0, tool_count, tool_describe, tool_invoke };

// ---- The plugin ----

static const void *get_interface(void *context, const char *id) {
  (void)context;
  if (strcmp(id, THW_INTERFACE_CODEC) == 0) return &CODEC;
  if (strcmp(id, THW_INTERFACE_PROVIDER) == 0) return &PROVIDER;
  if (strcmp(id, THW_INTERFACE_TOOL) == 0) return &TOOL;
  return NULL;
}

const thw_manifest thw_plugin_manifest_v1 = THW_MANIFEST("test.golden", "1.0.0");

thw_status thw_plugin_entry_v1(const thw_host *host, const thw_host_services *services, uint32_t host_minor,
                               thw_plugin *plugin, thw_error *error) {
  thw_str target = THW_STR("golden"), message = THW_STR("built from the header of version 1.0");
  (void)host_minor;
  if (plugin == NULL || plugin->struct_size < sizeof *plugin) return fail(error, THW_E_VERSION, "no room for the plugin");
  if (!THW_HAS(services, log) || !THW_HAS(services, get_extension) || !THW_HAS(services, sink_push) ||
      !THW_HAS(services, sink_finish) || !THW_HAS(services, on_cancel) || !THW_HAS(services, off_cancel) ||
      !THW_HAS(services, sink_wait)) {
    return fail(error, THW_E_VERSION, "the engine lacks a service of version 1.0");
  }
  ENGINE.host = host;
  ENGINE.services = services;
  ENGINE.json = services->get_extension(host, THW_EXTENSION_JSON);
  if (!THW_HAS(ENGINE.json, find)) return fail(error, THW_E_VERSION, "the engine lacks thw.json/1");
  services->log(host, 3, &target, &message);
  plugin->struct_size = sizeof *plugin;
  plugin->context = &ENGINE;
  plugin->get_interface = get_interface;
  return THW_OK;
}
