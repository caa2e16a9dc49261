// A plugin as it was written against version 1.1 of the header, which lies beside it, with what that version added: a list
// of models, vectors of texts, a dialect from the side of the server, and HTTP by the engine. Neither file is ever changed.

#include "thalweg_plugin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const thw_host_services *services;
static const thw_json *json;
static const thw_http *http;

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

// What the JSON pointer leads to, as a C string in `out`; 0 if it leads nowhere.
static size_t text_at(const thw_str *value, const char *path, char *out, size_t cap) {
  thw_str pointer = str(path), found;
  size_t len = 0;
  if (json->find(value, &pointer, &found) != THW_OK) return 0;
  if (json->unescape(&found, (uint8_t *)out, cap - 1, &len) != THW_OK || len >= cap) return 0;
  out[len] = 0;
  return len;
}

// ---- Models ----

static thw_status models_list(void *context, thw_str *list, thw_error *error) {
  (void)context, (void)error;
  *list = str("[{\"id\":\"fetch\",\"context_tokens\":9,\"capabilities\":[\"tools\"]},{\"id\":\"other\",\"later\":1}]");
  return THW_OK;
}

static const thw_models MODELS = { sizeof(thw_models), 0, models_list };

// ---- Vectors: a reply is numbers with spaces between, two for each text ----

typedef struct vectors {
  char body[512];
  float values[64];
} vectors;

static thw_status embed_describe(void *context, thw_str *description) {
  (void)context;
  *description = str("{\"dialect\":\"golden\",\"auth\":{\"kind\":\"none\"},\"texts_max\":32}");
  return THW_OK;
}

static thw_status embed_open(void *context, const thw_str *options, void **stream, thw_error *error) {
  (void)context, (void)options, (void)error;
  *stream = calloc(1, sizeof(vectors));
  return *stream == NULL ? THW_E_NOMEM : THW_OK;
}

static thw_status embed_encode(void *at, const thw_str *request, thw_http_request *out, thw_error *error) {
  vectors *v = at;
  thw_str pointer = str("/texts"), texts;
  if (json->find(request, &pointer, &texts) != THW_OK || texts.len >= sizeof v->body) {
    return fail(error, THW_E_INVALID, "no texts");
  }
  memcpy(v->body, texts.ptr, texts.len);
  out->method = str("POST");
  out->path = str("/vectors");
  out->body_head.ptr = (const uint8_t *)v->body;
  out->body_head.len = texts.len;
  return THW_OK;
}

static thw_status embed_decode(void *at, const thw_frame *reply, thw_embeddings *out, thw_error *error) {
  vectors *v = at;
  char body[512];
  char *rest = body;
  uint32_t count = 0;
  if (reply->kind == THW_FRAME_ERROR_BODY) return fail(error, THW_E_REMOTE, "the server failed");
  if (reply->data.len >= sizeof body) return fail(error, THW_E_PROTOCOL, "too long");
  memcpy(body, reply->data.ptr, reply->data.len);
  body[reply->data.len] = 0;
  for (char *end = rest; count < 64; rest = end) {
    v->values[count] = strtof(rest, &end);
    if (end == rest) break;
    count++;
  }
  out->values = v->values;
  out->count = count / 2;
  out->dimensions = 2;
  out->input_tokens = 5;
  out->model = str("golden-1");
  return THW_OK;
}

static void stream_close(void *at) { free(at); }

static const thw_embed EMBED = {
  sizeof(thw_embed), 0, embed_describe, embed_open, embed_encode, embed_decode, stream_close,
};

// ---- A server: the body of a request is what is said, a reply is its texts in brackets ----

typedef struct served {
  char out[1024];
} served;

static thw_status serve_describe(void *context, thw_str *description) {
  (void)context;
  *description = str("{\"dialect\":\"golden\",\"framing\":\"ndjson\"}");
  return THW_OK;
}

static thw_status serve_open(void *context, const thw_str *options, void **stream, thw_error *error) {
  (void)context, (void)options, (void)error;
  *stream = calloc(1, sizeof(served));
  return *stream == NULL ? THW_E_NOMEM : THW_OK;
}

static thw_status give(served *s, thw_str *out) {
  *out = str(s->out);
  return THW_OK;
}

static thw_status serve_parse(void *at, const thw_http_request *request, thw_str *canonical, thw_error *error) {
  served *s = at;
  char quoted[512];
  size_t len = 0;
  if (request->struct_size < sizeof *request || request->body_head.len == 0) return fail(error, THW_E_INVALID, "no body");
  if (json->escape(&request->body_head, (uint8_t *)quoted, sizeof quoted, &len) != THW_OK || len > sizeof quoted) {
    return fail(error, THW_E_INVALID, "too long");
  }
  snprintf(s->out, sizeof s->out,
           "{\"model\":\"m\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":%.*s}]}]}",
           (int)len, quoted);
  return give(s, canonical);
}

static thw_status serve_encode(void *at, const thw_event *events, uint32_t count, thw_str *piece, thw_error *error) {
  served *s = at;
  size_t used = 0;
  (void)error;
  s->out[0] = 0;
  for (uint32_t i = 0; i < count && used + 64 < sizeof s->out; i++) {
    if (events[i].kind != THW_EVENT_TEXT || events[i].text.len > 60) continue;
    used += (size_t)snprintf(s->out + used, sizeof s->out - used, "[%.*s]", (int)events[i].text.len,
                             (const char *)events[i].text.ptr);
  }
  return give(s, piece);
}

static thw_status serve_finish(void *at, thw_str *piece, thw_error *error) {
  served *s = at;
  (void)error;
  snprintf(s->out, sizeof s->out, "[]");
  return give(s, piece);
}

static const thw_serve SERVE = {
  sizeof(thw_serve), 0, serve_describe, serve_open, serve_parse, serve_encode, serve_finish, stream_close,
};

// ---- A provider that says what a server says: the last message is its URL ----

static void push(thw_sink *sink, uint32_t kind, thw_str text, int64_t num) {
  thw_event event;
  memset(&event, 0, sizeof event);
  event.kind = kind;
  event.text = text;
  event.num = num;
  services->sink_push(sink, &event, 1);
}

static thw_status on_head(void *sink, uint32_t status, const thw_http_header *headers, uint32_t headers_len) {
  (void)headers, (void)headers_len;
  push(sink, THW_EVENT_MESSAGE_START, str("fetch"), 0);
  return status == 200 ? THW_OK : THW_E_FAILED;
}

static thw_status on_body(void *sink, const thw_str *bytes) {
  push(sink, THW_EVENT_TEXT, *bytes, 0);
  return THW_OK;
}

static void on_end(void *sink, thw_status status, const thw_error *error) {
  if (status == THW_OK) push(sink, THW_EVENT_STOP, str("end"), THW_STOP_END);
  services->sink_finish(sink, status, error);
}

static thw_status provider_describe(void *context, thw_str *description) {
  (void)context;
  *description = str("{\"provider\":\"golden11\",\"models\":[{\"id\":\"fetch\"}]}");
  return THW_OK;
}

static thw_status provider_start(void *context, const thw_str *request, thw_sink *sink, thw_cancel *cancel,
                                 thw_error *error) {
  char url[256];
  uint64_t exchange;
  thw_http_call call;
  thw_http_receiver receiver = { sizeof(thw_http_receiver), 0, NULL, on_head, on_body, on_end };
  (void)context;
  if (text_at(request, "/messages/-1/content/0/text", url, sizeof url) == 0) return fail(error, THW_E_INVALID, "no text");
  memset(&call, 0, sizeof call);
  call.struct_size = sizeof call;
  call.method = str("GET");
  call.url = str(url);
  receiver.user = sink;
  thw_status status = http->send(cancel, &call, &receiver, &exchange, error);
  return status == THW_OK ? THW_PENDING : status;
}

static const thw_provider PROVIDER = { sizeof(thw_provider), 0, provider_describe, provider_start };

// ---- The plugin ----

static const void *get_interface(void *context, const char *id) {
  (void)context;
  if (strcmp(id, THW_INTERFACE_MODELS) == 0) return &MODELS;
  if (strcmp(id, THW_INTERFACE_EMBED) == 0) return &EMBED;
  if (strcmp(id, THW_INTERFACE_SERVE) == 0) return &SERVE;
  if (strcmp(id, THW_INTERFACE_PROVIDER) == 0) return &PROVIDER;
  return NULL;
}

const thw_manifest thw_plugin_manifest_v1 = THW_MANIFEST("test.golden11", "1.0.0");

thw_status thw_plugin_entry_v1(const thw_host *host, const thw_host_services *given, uint32_t host_minor,
                               thw_plugin *plugin, thw_error *error) {
  if (host_minor < 1) return fail(error, THW_E_VERSION, "the engine is too old");
  services = given;
  json = services->get_extension(host, THW_EXTENSION_JSON);
  http = services->get_extension(host, THW_EXTENSION_HTTP);
  if (!THW_HAS(json, escape) || !THW_HAS(http, send)) return fail(error, THW_E_UNSUPPORTED, "an extension is missing");
  plugin->struct_size = sizeof *plugin;
  plugin->get_interface = get_interface;
  return THW_OK;
}
