// @NAME@: a provider that says again what was said last, word by word.

@COMMON@
// ---- The provider ----

thw_status describe(void *, thw_str *description) {
  if (description == nullptr) return THW_E_INVALID;
  *description = str(R"({"provider":"@NAME@","models":[{"id":"echo"}]})");
  return THW_OK;
}

// Hands an event over, and waits where the engine has no room: THW_OK, or THW_E_CLOSED once nobody listens any more.
thw_status push(thw_sink *sink, uint32_t kind, std::string_view text, int64_t num = 0) {
  thw_event event{};
  event.kind = kind;
  event.text = str(text);
  event.num = num;
  thw_status status = services->sink_push(sink, &event, 1);
  return status == THW_PENDING ? services->sink_wait(sink, -1) : status;
}

// It runs on a thread where it may block, so the whole reply is given before it returns.
thw_status start(void *, const thw_str *request, thw_sink *sink, thw_cancel *, thw_error *error) {
  return guarded(error, [&] {
    auto said = text_of(find(view(*request), "/messages/-1/content/-1/text"));
    if (!said) throw std::invalid_argument("the conversation does not end with a text");
    thw_status status = push(sink, THW_EVENT_MESSAGE_START, "echo");
    std::string_view rest = *said;
    while (!rest.empty() && status == THW_OK) {
      size_t end = rest.find(' ');
      std::string_view word = rest.substr(0, end == rest.npos ? end : end + 1);
      status = push(sink, THW_EVENT_TEXT, word);
      rest.remove_prefix(word.size());
    }
    if (status == THW_OK) status = push(sink, THW_EVENT_STOP, "", THW_STOP_END);
    services->sink_finish(sink, status == THW_OK ? THW_OK : THW_E_CANCELLED, nullptr);
    return THW_OK;
  });
}

const thw_provider provider = { sizeof(thw_provider), 0, describe, start };

const void *get_interface(void *, const char *id) {
  return id != nullptr && std::strcmp(id, THW_INTERFACE_PROVIDER) == 0 ? &provider : nullptr;
}

@ENTRY@
