// @NAME@: a dialect. The request holds the messages as the engine has them; the reply is one line of JSON for each piece of
// text, {"text": "..."}, and {"done": "stop"} at its end.

@COMMON@
#include <stdlib.h>

// ---- A stream: one conversation ----

// Text that is built here and read by the engine until the next call on the stream.
typedef struct buffer {
  char *text;
  size_t len;
  size_t room;
} buffer;

typedef struct stream {
  buffer message;
  buffer head;
} stream;

// Makes it say `start`, `middle`, `end`; 0 when there is no memory.
static int set(buffer *b, const char *start, thw_str middle, const char *end) {
  size_t before = strlen(start), behind = strlen(end), need = before + middle.len + behind;
  if (need > b->room) {
    char *text = realloc(b->text, need);
    if (text == NULL) return 0;
    b->text = text;
    b->room = need;
  }
  b->len = need;
  if (before > 0) memcpy(b->text, start, before);
  if (middle.len > 0) memcpy(b->text + before, middle.ptr, middle.len);
  if (behind > 0) memcpy(b->text + before + middle.len, end, behind);
  return 1;
}

static thw_str said(const buffer *b) {
  thw_str s = { (const uint8_t *)b->text, b->len };
  return s;
}

static thw_status describe(void *context, thw_str *json) {
  (void)context;
  if (json == NULL) return THW_E_INVALID;
  *json = str("{\"dialect\":\"@NAME@\",\"framing\":\"ndjson\",\"auth\":{\"kind\":\"bearer\"},\"volatile_keys\":[]}");
  return THW_OK;
}

static thw_status open_stream(void *context, const thw_str *options, void **out, thw_error *error) {
  (void)context, (void)options;
  *out = calloc(1, sizeof(stream));
  return *out != NULL ? THW_OK : fail(error, THW_E_NOMEM, "no memory for a stream");
}

static void close_stream(void *handle) {
  stream *s = handle;
  if (s == NULL) return;
  free(s->message.text);
  free(s->head.text);
  free(s);
}

// ---- Requests ----

static thw_status encode_message(void *handle, const thw_str *message, thw_str *out, thw_error *error) {
  stream *s = handle;
  thw_str role;
  if (!find(message, "/role", &role)) return fail(error, THW_E_INVALID, "a message has a role");
  if (!set(&s->message, "", *message, "")) return fail(error, THW_E_NOMEM, "no memory for a message");
  *out = said(&s->message);
  return THW_OK;
}

static thw_status encode_request(void *handle, const thw_str *request, thw_http_request *out, thw_error *error) {
  stream *s = handle;
  thw_str model;
  if (out->struct_size < sizeof *out) return THW_E_INVALID;
  if (!find(request, "/model", &model)) return fail(error, THW_E_INVALID, "a request names a model");
  if (!set(&s->head, "{\"model\":", model, ",\"messages\":[")) return fail(error, THW_E_NOMEM, "no memory");
  out->headers_len = 0;
  out->method = str("POST");
  out->path = str("/generate");
  out->headers = NULL;
  out->body_head = said(&s->head);
  out->body_tail = str("]}");
  return THW_OK;
}

// ---- Replies ----

static thw_event failure(int64_t kind, const char *message) {
  thw_event e;
  memset(&e, 0, sizeof e);
  e.kind = THW_EVENT_ERROR;
  e.flags = THW_FLAG_SCRATCH; // The text is no part of a frame.
  e.num = kind;
  e.text = str(message);
  return e;
}

// One frame gives one event.
static thw_event read_frame(const thw_frame *frame) {
  thw_event e;
  thw_str text, done, object = frame->data;
  if ((frame->kind & 0xFF) == THW_FRAME_ERROR_BODY) {
    e = failure(THW_FAILURE_SERVER, "the server gave an error without a text");
    if (frame->data.len > 0) {
      e.flags = 0;
      e.text = frame->data;
    }
    return e;
  }
  memset(&e, 0, sizeof e);
  int has_text = find(&object, "/text", &text) && text.ptr[0] == '"';
  if (find(&object, "/done", &done) && done.ptr[0] == '"') {
    e.kind = THW_EVENT_STOP;
    e.num = done.len == 6 && memcmp(done.ptr, "\"stop\"", 6) == 0 ? THW_STOP_END : THW_STOP_OTHER;
    return e;
  }
  if (has_text) {
    // The string as it stands between its quotes. Nothing is remembered of such a frame, so the engine may read others
    // that differ in nothing but the text by itself.
    e.kind = THW_EVENT_TEXT;
    e.flags = THW_FLAG_REPEATABLE;
    e.text.ptr = text.ptr + 1;
    e.text.len = text.len - 2;
    if (memchr(e.text.ptr, '\\', e.text.len) != NULL) e.flags |= THW_FLAG_TEXT_ESCAPED;
    return e;
  }
  if (find(&object, "", &text) && text.ptr[0] == '{') {
    e.kind = THW_EVENT_SKIPPED;
    return e;
  }
  return failure(THW_FAILURE_MALFORMED, "a line of the reply is no JSON object");
}

static thw_status decode(void *handle, const thw_frame *frames, uint32_t frames_len, uint32_t *next, thw_event *events,
                         uint32_t events_cap, uint32_t *events_len, thw_error *error) {
  uint32_t written = 0;
  (void)handle, (void)error;
  while (*next < frames_len && written < events_cap) {
    events[written++] = read_frame(&frames[*next]);
    ++*next;
  }
  *events_len = written;
  return *next < frames_len ? THW_MORE : THW_OK;
}

// Nothing is held back, and nothing is remembered from one reply to the next.
static thw_status finish(void *handle, thw_event *events, uint32_t events_cap, uint32_t *events_len,
                         thw_error *error) {
  (void)handle, (void)events, (void)events_cap, (void)error;
  *events_len = 0;
  return THW_OK;
}

static void reset(void *handle) {
  (void)handle;
}

static const thw_codec CODEC = { sizeof(thw_codec), 0,      describe, open_stream, encode_message,
                                 encode_request,    decode, finish,   reset,       close_stream };

static const void *get_interface(void *context, const char *id) {
  (void)context;
  return id != NULL && strcmp(id, THW_INTERFACE_CODEC) == 0 ? &CODEC : NULL;
}

@ENTRY@
