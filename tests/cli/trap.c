// A plugin that does what it is told, and what it is told may be to crash, to hang or to take all memory: a tool, a
// provider and a dialect of lines ({"text": "..."}) that obey the same words.

#include "thalweg_plugin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const thw_host *HOST;
static const thw_host_services *SERVICES;
static const thw_json *JSON;

static thw_str str(const char *text) {
  thw_str s = { (const uint8_t *)text, strlen(text) };
  return s;
}

static int says(const thw_str *text, const char *word) {
  size_t len = strlen(word);
  for (size_t at = 0; at + len <= text->len; at++) {
    if (memcmp(text->ptr + at, word, len) == 0) return 1;
  }
  return 0;
}

static volatile int *volatile nowhere;

static void obey(const thw_str *text) {
  if (says(text, "do crash")) *nowhere = 1;
  if (says(text, "do abort")) abort();
  if (says(text, "do exit")) exit(3);
  if (says(text, "do hang")) sleep(1000);
  if (says(text, "do leak")) {
    for (;;) {
      char *page = malloc(1 << 20);
      memset(page, 1, 1 << 20); // Where there is no more memory, this writes to NULL.
      nowhere = (volatile int *)page;
    }
  }
}

static void push(thw_sink *sink, uint32_t kind, const char *text, int64_t num) {
  thw_event event;
  memset(&event, 0, sizeof event);
  event.kind = kind;
  event.text = str(text);
  event.num = num;
  if (SERVICES->sink_push(sink, &event, 1) == THW_PENDING) (void)SERVICES->sink_wait(sink, -1);
}

// ---- The tool ----

static uint32_t count(void *context) {
  (void)context;
  return 1;
}

static thw_status describe_tool(void *context, uint32_t index, thw_tool_info *out) {
  (void)context, (void)index;
  out->flags = THW_TOOL_PARALLEL | THW_TOOL_READ_ONLY;
  out->name = str("obey");
  out->description = str("Does what it is told, and gives the number of its process.");
  out->parameters = str("{\"type\":\"object\"}");
  return THW_OK;
}

static thw_status invoke(void *context, uint32_t index, const thw_str *call_id, const thw_str *arguments,
                         thw_sink *sink, thw_cancel *cancel, thw_error *error) {
  char number[64];
  thw_str target = str("trap"), line = str("it was called");
  (void)context, (void)index, (void)call_id, (void)cancel, (void)error;
  SERVICES->log(HOST, 2, &target, &line);
  push(sink, THW_EVENT_TOOL_PROGRESS, "on its way", 500);
  obey(arguments);
  if (says(arguments, "do fail")) return THW_E_FAILED;
  if (says(arguments, "do environ")) (void)snprintf(number, sizeof number, "%s", getenv("TRAP_KEY") ? "a key" : "none");
  else (void)snprintf(number, sizeof number, "%ld", (long)getpid());
  push(sink, THW_EVENT_TOOL_RESULT, number, 0);
  (void)SERVICES->sink_finish(sink, THW_OK, NULL);
  return THW_OK;
}

static const thw_tool TOOL = { sizeof(thw_tool), 0, count, describe_tool, invoke };

// ---- The provider ----

static thw_status describe_provider(void *context, thw_str *json) {
  (void)context;
  *json = str("{\"provider\":\"trap\",\"models\":[{\"id\":\"obedient\"}]}");
  return THW_OK;
}

static thw_status start(void *context, const thw_str *request, thw_sink *sink, thw_cancel *cancel, thw_error *error) {
  char word[32];
  (void)context, (void)error;
  push(sink, THW_EVENT_MESSAGE_START, "obedient", 0);
  push(sink, THW_EVENT_TEXT, "first ", 0);
  if (says(request, "do many")) {
    for (int i = 0; i < 20000 && !SERVICES->is_cancelled(cancel); i++) {
      (void)snprintf(word, sizeof word, "%d ", i);
      push(sink, THW_EVENT_TEXT, word, 0);
    }
  }
  obey(request);
  push(sink, THW_EVENT_STOP, "", THW_STOP_END);
  (void)SERVICES->sink_finish(sink, THW_OK, NULL);
  return THW_OK;
}

static const thw_provider PROVIDER = { sizeof(thw_provider), 0, describe_provider, start };

// ---- The dialect ----

typedef struct stream {
  char request[256];
  unsigned messages;
} stream;

static thw_status describe_codec(void *context, thw_str *json) {
  (void)context;
  *json = str("{\"dialect\":\"trap\",\"framing\":\"ndjson\",\"auth\":{\"kind\":\"none\"},\"volatile_keys\":[]}");
  return THW_OK;
}

static thw_status open_stream(void *context, const thw_str *options, void **out, thw_error *error) {
  (void)context, (void)error;
  obey(options);
  *out = calloc(1, sizeof(stream));
  return *out != NULL ? THW_OK : THW_E_NOMEM;
}

static thw_status encode_message(void *handle, const thw_str *message, thw_str *out, thw_error *error) {
  (void)error;
  obey(message);
  ((stream *)handle)->messages++;
  *out = str("{}");
  return THW_OK;
}

// Says how many messages it remembers.
static thw_status encode_request(void *handle, const thw_str *request, thw_http_request *out, thw_error *error) {
  stream *s = handle;
  (void)request, (void)error;
  (void)snprintf(s->request, sizeof s->request, "{\"remembered\":%u,\"messages\":[", s->messages);
  out->headers_len = 0;
  out->method = str("POST");
  out->path = str("/trap");
  out->headers = NULL;
  out->body_head = str(s->request);
  out->body_tail = str("]}");
  return THW_OK;
}

static thw_status decode(void *handle, const thw_frame *frames, uint32_t frames_len, uint32_t *next, thw_event *events,
                         uint32_t events_cap, uint32_t *events_len, thw_error *error) {
  uint32_t written = 0;
  (void)handle, (void)error;
  for (; *next < frames_len && written < events_cap; ++*next) {
    thw_str data = frames[*next].data, path = str("/text"), value;
    thw_event *e = &events[written++];
    obey(&data);
    memset(e, 0, sizeof *e);
    e->kind = THW_EVENT_STOP;
    if (JSON->find(&data, &path, &value) == THW_OK) {
      e->kind = THW_EVENT_TEXT;
      e->text.ptr = value.ptr + 1;
      e->text.len = value.len - 2;
    }
  }
  *events_len = written;
  return *next < frames_len ? THW_MORE : THW_OK;
}

static thw_status finish(void *handle, thw_event *events, uint32_t events_cap, uint32_t *events_len,
                         thw_error *error) {
  (void)handle, (void)events, (void)events_cap, (void)error;
  *events_len = 0;
  return THW_OK;
}

static void reset(void *handle) {
  (void)handle;
}

static const thw_codec CODEC = { sizeof(thw_codec), 0,      describe_codec, open_stream, encode_message,
                                 encode_request,    decode, finish,         reset,       free };

static const void *get_interface(void *context, const char *id) {
  (void)context;
  if (strcmp(id, THW_INTERFACE_PROVIDER) == 0) return &PROVIDER;
  if (strcmp(id, THW_INTERFACE_CODEC) == 0) return &CODEC;
  return strcmp(id, THW_INTERFACE_TOOL) == 0 ? &TOOL : NULL;
}

const thw_manifest thw_plugin_manifest_v1 = THW_MANIFEST("example.trap", "1.0.0");

thw_status thw_plugin_entry_v1(const thw_host *host, const thw_host_services *services, uint32_t host_minor,
                               thw_plugin *plugin, thw_error *error) {
  (void)host_minor, (void)error;
  HOST = host;
  SERVICES = services;
  JSON = services->get_extension(host, THW_EXTENSION_JSON);
  if (JSON == NULL) return THW_E_UNSUPPORTED;
  plugin->struct_size = sizeof *plugin;
  plugin->get_interface = get_interface;
  return THW_OK;
}
