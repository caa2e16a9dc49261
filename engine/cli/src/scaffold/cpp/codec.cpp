// @NAME@: a dialect. The request holds the messages as the engine has them; the reply is one line of JSON for each piece of
// text, {"text": "..."}, and {"done": "stop"} at its end.

@COMMON@
// ---- A stream: one conversation ----

// Texts that are built here and read by the engine until the next call on the stream.
struct stream {
  std::string message;
  std::string head;
};

thw_status describe(void *, thw_str *description) {
  if (description == nullptr) return THW_E_INVALID;
  *description = str(R"({"dialect":"@NAME@","framing":"ndjson","auth":{"kind":"bearer"},"volatile_keys":[]})");
  return THW_OK;
}

thw_status open_stream(void *, const thw_str *, void **out, thw_error *error) {
  return guarded(error, [&] {
    *out = new stream;
    return THW_OK;
  });
}

void close_stream(void *handle) {
  delete static_cast<stream *>(handle);
}

// ---- Requests ----

thw_status encode_message(void *handle, const thw_str *message, thw_str *out, thw_error *error) {
  return guarded(error, [&] {
    if (!find(view(*message), "/role")) throw std::invalid_argument("a message has a role");
    auto &text = static_cast<stream *>(handle)->message;
    text = view(*message);
    *out = str(text);
    return THW_OK;
  });
}

thw_status encode_request(void *handle, const thw_str *request, thw_http_request *out, thw_error *error) {
  return guarded(error, [&] {
    if (out->struct_size < sizeof *out) return fail(error, THW_E_INVALID, "no room for the request");
    auto model = find(view(*request), "/model");
    if (!model) throw std::invalid_argument("a request names a model");
    auto &head = static_cast<stream *>(handle)->head;
    head.assign(R"({"model":)").append(*model).append(R"(,"messages":[)");
    out->headers_len = 0;
    out->method = str("POST");
    out->path = str("/generate");
    out->headers = nullptr;
    out->body_head = str(head);
    out->body_tail = str("]}");
    return THW_OK;
  });
}

// ---- Replies ----

thw_event failure(int64_t kind, std::string_view message) {
  thw_event event{};
  event.kind = THW_EVENT_ERROR;
  event.flags = THW_FLAG_SCRATCH; // The text is no part of a frame.
  event.num = kind;
  event.text = str(message);
  return event;
}

bool is_string(std::optional<std::string_view> value) {
  return value && value->front() == '"';
}

// One frame gives one event.
thw_event read_frame(const thw_frame &frame) {
  if ((frame.kind & 0xFF) == THW_FRAME_ERROR_BODY) {
    thw_event event = failure(THW_FAILURE_SERVER, "the server gave an error without a text");
    if (frame.data.len > 0) {
      event.flags = 0;
      event.text = frame.data;
    }
    return event;
  }
  thw_event event{};
  std::string_view object = view(frame.data);
  if (auto done = find(object, "/done"); is_string(done)) {
    event.kind = THW_EVENT_STOP;
    event.num = *done == R"("stop")" ? THW_STOP_END : THW_STOP_OTHER;
    return event;
  }
  if (auto text = find(object, "/text"); is_string(text)) {
    // The string as it stands between its quotes. Nothing is remembered of such a frame, so the engine may read others
    // that differ in nothing but the text by itself.
    event.kind = THW_EVENT_TEXT;
    event.flags = THW_FLAG_REPEATABLE;
    event.text = str(text->substr(1, text->size() - 2));
    if (view(event.text).find('\\') != std::string_view::npos) event.flags |= THW_FLAG_TEXT_ESCAPED;
    return event;
  }
  if (auto whole = find(object, ""); whole && whole->front() == '{') {
    event.kind = THW_EVENT_SKIPPED;
    return event;
  }
  return failure(THW_FAILURE_MALFORMED, "a line of the reply is no JSON object");
}

thw_status decode(void *, const thw_frame *frames, uint32_t frames_len, uint32_t *next, thw_event *events,
                  uint32_t events_cap, uint32_t *events_len, thw_error *error) {
  return guarded(error, [&] {
    uint32_t written = 0;
    while (*next < frames_len && written < events_cap) {
      events[written++] = read_frame(frames[*next]);
      ++*next;
    }
    *events_len = written;
    return *next < frames_len ? THW_MORE : THW_OK;
  });
}

// Nothing is held back, and nothing is remembered from one reply to the next.
thw_status finish(void *, thw_event *, uint32_t, uint32_t *events_len, thw_error *) {
  *events_len = 0;
  return THW_OK;
}

void reset(void *) {}

const thw_codec codec = { sizeof(thw_codec), 0,      describe, open_stream, encode_message,
                          encode_request,    decode, finish,   reset,       close_stream };

const void *get_interface(void *, const char *id) {
  return id != nullptr && std::strcmp(id, THW_INTERFACE_CODEC) == 0 ? &codec : nullptr;
}

@ENTRY@
