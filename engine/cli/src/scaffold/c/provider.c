// @NAME@: a provider that says again what was said last, word by word.

@COMMON@@UNESCAPE@
// ---- The provider ----

static thw_status describe(void *context, thw_str *json) {
  (void)context;
  if (json == NULL) return THW_E_INVALID;
  *json = str("{\"provider\":\"@NAME@\",\"models\":[{\"id\":\"echo\"}]}");
  return THW_OK;
}

// Hands an event over, and waits where the engine has no room: THW_OK, or THW_E_CLOSED once nobody listens any more.
static thw_status push(thw_sink *sink, uint32_t kind, const uint8_t *text, size_t len, int64_t num) {
  thw_event event;
  memset(&event, 0, sizeof event);
  event.kind = kind;
  event.text.ptr = text;
  event.text.len = len;
  event.num = num;
  thw_status status = SERVICES->sink_push(sink, &event, 1);
  return status == THW_PENDING ? SERVICES->sink_wait(sink, -1) : status;
}

// It runs on a thread where it may block, so the whole reply is given before it returns.
static thw_status start(void *context, const thw_str *request, thw_sink *sink, thw_cancel *cancel, thw_error *error) {
  thw_str value;
  (void)context, (void)cancel; // `push` tells of a cancel, too.
  if (!find(request, "/messages/-1/content/-1/text", &value)) {
    return fail(error, THW_E_INVALID, "the conversation does not end with a text");
  }
  plain said = unescape(&value);
  if (said.text == NULL) return fail(error, THW_E_INVALID, "the text is no string");

  thw_status status = push(sink, THW_EVENT_MESSAGE_START, (const uint8_t *)"echo", 4, 0);
  for (size_t start = 0, end; start < said.len && status == THW_OK; start = end) {
    end = start;
    while (end < said.len && said.text[end] != ' ') end++;
    while (end < said.len && said.text[end] == ' ') end++;
    status = push(sink, THW_EVENT_TEXT, said.text + start, end - start, 0);
  }
  give_back(said);
  if (status == THW_OK) status = push(sink, THW_EVENT_STOP, NULL, 0, THW_STOP_END);
  (void)SERVICES->sink_finish(sink, status == THW_OK ? THW_OK : THW_E_CANCELLED, NULL);
  return THW_OK;
}

static const thw_provider PROVIDER = { sizeof(thw_provider), 0, describe, start };

static const void *get_interface(void *context, const char *id) {
  (void)context;
  return id != NULL && strcmp(id, THW_INTERFACE_PROVIDER) == 0 ? &PROVIDER : NULL;
}

@ENTRY@
