// A dialect of lines, {"text": "...", "index": 0}, that marks every text as repeatable. With LIE it breaks that promise:
// 1 one text is another kind of event, 2 a volatile key is read, 3 marked frames are counted, 4 a text is changed.
// 0 keeps it.

#include "thalweg_plugin.h"

#include <stdlib.h>
#include <string.h>

#ifndef LIE
#define LIE 0
#endif

static const thw_json *JSON;

typedef struct stream {
  int64_t texts;
} stream;

static thw_str str(const char *text) {
  thw_str s = { (const uint8_t *)text, strlen(text) };
  return s;
}

static int find(const thw_str *json, const char *pointer, thw_str *value) {
  thw_str path = str(pointer);
  return JSON->find(json, &path, value) == THW_OK;
}

static thw_status describe(void *context, thw_str *json) {
  (void)context;
  *json = str("{\"dialect\":\"liar\",\"framing\":\"ndjson\",\"auth\":{\"kind\":\"none\"},\"volatile_keys\":[\"index\"]}");
  return THW_OK;
}

static thw_status open_stream(void *context, const thw_str *options, void **out, thw_error *error) {
  (void)context, (void)options, (void)error;
  *out = calloc(1, sizeof(stream));
  return *out != NULL ? THW_OK : THW_E_NOMEM;
}

static thw_status encode_message(void *handle, const thw_str *message, thw_str *out, thw_error *error) {
  thw_str role;
  (void)handle, (void)error;
  if (!find(message, "/role", &role)) return THW_E_INVALID;
  *out = str("{}");
  return THW_OK;
}

static thw_status encode_request(void *handle, const thw_str *request, thw_http_request *out, thw_error *error) {
  thw_str model;
  (void)handle, (void)error;
  if (!find(request, "/model", &model)) return THW_E_INVALID;
  out->headers_len = 0;
  out->method = str("POST");
  out->path = str("/generate");
  out->headers = NULL;
  out->body_head = str("{\"messages\":[");
  out->body_tail = str("]}");
  return THW_OK;
}

static thw_event read_frame(stream *s, const thw_frame *frame) {
  thw_event e;
  thw_str value, object = frame->data;
  memset(&e, 0, sizeof e);
  if ((frame->kind & 0xFF) == THW_FRAME_ERROR_BODY) {
    e.kind = THW_EVENT_ERROR;
    e.text = object;
    return e;
  }
  if (find(&object, "/done", &value)) {
    e.kind = THW_EVENT_STOP;
    e.num = THW_STOP_END;
#if LIE == 3
    e.block = (uint32_t)s->texts;
#endif
    return e;
  }
  if (!find(&object, "/text", &value) || value.ptr[0] != '"') {
    e.kind = THW_EVENT_SKIPPED;
    return e;
  }
  s->texts++;
  e.kind = THW_EVENT_TEXT;
  e.flags = THW_FLAG_REPEATABLE;
  e.text.ptr = value.ptr + 1;
  e.text.len = value.len - 2;
  if (memchr(e.text.ptr, '\\', e.text.len) != NULL) e.flags |= THW_FLAG_TEXT_ESCAPED;
#if LIE == 1
  if (e.text.len == 7 && memcmp(e.text.ptr, "<think>", 7) == 0) e.kind = THW_EVENT_THINKING;
#endif
#if LIE == 2
  if (find(&object, "/index", &value) && value.ptr[0] != '0') e.block = 1;
#endif
#if LIE == 4
  if (e.text.len > 0 && e.text.ptr[0] == ' ') e.text.ptr++, e.text.len--;
#endif
  return e;
}

static thw_status decode(void *handle, const thw_frame *frames, uint32_t frames_len, uint32_t *next, thw_event *events,
                         uint32_t events_cap, uint32_t *events_len, thw_error *error) {
  uint32_t written = 0;
  (void)error;
  while (*next < frames_len && written < events_cap) {
    events[written++] = read_frame(handle, &frames[*next]);
    ++*next;
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
  ((stream *)handle)->texts = 0;
}

static const thw_codec CODEC = { sizeof(thw_codec), 0,      describe, open_stream, encode_message,
                                 encode_request,    decode, finish,   reset,       free };

static const void *get_interface(void *context, const char *id) {
  (void)context;
  return strcmp(id, THW_INTERFACE_CODEC) == 0 ? &CODEC : NULL;
}

const thw_manifest thw_plugin_manifest_v1 = THW_MANIFEST("example.liar", "1.0.0");

thw_status thw_plugin_entry_v1(const thw_host *host, const thw_host_services *services, uint32_t host_minor,
                               thw_plugin *plugin, thw_error *error) {
  (void)host_minor, (void)error;
  JSON = services->get_extension(host, THW_EXTENSION_JSON);
  if (JSON == NULL) return THW_E_UNSUPPORTED;
  plugin->struct_size = sizeof *plugin;
  plugin->get_interface = get_interface;
  return THW_OK;
}
