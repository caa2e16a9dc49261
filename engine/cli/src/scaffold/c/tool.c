// @NAME@: a tool that counts the words of a text.

@COMMON@@UNESCAPE@
// ---- The tool ----

static uint32_t count(void *context) {
  (void)context;
  return 1;
}

static thw_status describe(void *context, uint32_t index, thw_tool_info *out) {
  (void)context;
  if (index != 0 || out == NULL || out->struct_size < sizeof *out) return THW_E_INVALID;
  // What it is allowed: several calls at once, calls nobody asked for (it changes nothing), and calls again.
  out->flags = THW_TOOL_PARALLEL | THW_TOOL_READ_ONLY | THW_TOOL_IDEMPOTENT;
  out->name = str("@NAME@");
  out->description = str("Counts the words of a text.");
  out->parameters = str("{\"type\":\"object\",\"properties\":{\"text\":{\"type\":\"string\"}},\"required\":[\"text\"]}");
  return THW_OK;
}

static size_t count_words(const uint8_t *text, size_t len) {
  size_t words = 0;
  int is_in_word = 0;
  for (size_t at = 0; at < len; at++) {
    int is_blank = text[at] == ' ' || (text[at] >= '\t' && text[at] <= '\r');
    words += (size_t)(!is_blank && !is_in_word);
    is_in_word = !is_blank;
  }
  return words;
}

// Answers before it returns. One that takes longer returns THW_PENDING, and finishes the sink from a thread of its own.
static thw_status invoke(void *context, uint32_t index, const thw_str *call_id, const thw_str *arguments,
                         thw_sink *sink, thw_cancel *cancel, thw_error *error) {
  thw_str value;
  thw_event answer;
  char number[32];
  (void)context, (void)call_id, (void)cancel;
  if (index != 0) return THW_E_INVALID;
  if (!find(arguments, "/text", &value)) return fail(error, THW_E_FAILED, "pass {\"text\": \"the words to count\"}");
  plain text = unescape(&value);
  if (text.text == NULL) return fail(error, THW_E_FAILED, "`text` is no string");
  (void)snprintf(number, sizeof number, "%lu", (unsigned long)count_words(text.text, text.len));
  give_back(text);
  memset(&answer, 0, sizeof answer);
  answer.kind = THW_EVENT_TOOL_RESULT;
  answer.text = str(number);
  (void)SERVICES->sink_push(sink, &answer, 1);
  (void)SERVICES->sink_finish(sink, THW_OK, NULL);
  return THW_OK;
}

static const thw_tool TOOL = { sizeof(thw_tool), 0, count, describe, invoke };

static const void *get_interface(void *context, const char *id) {
  (void)context;
  return id != NULL && strcmp(id, THW_INTERFACE_TOOL) == 0 ? &TOOL : NULL;
}

@ENTRY@
