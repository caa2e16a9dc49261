// @NAME@: a tool that counts the words of a text.

@COMMON@
// ---- The tool ----

uint32_t count(void *) {
  return 1;
}

thw_status describe(void *, uint32_t index, thw_tool_info *out) {
  if (index != 0 || out == nullptr || out->struct_size < sizeof *out) return THW_E_INVALID;
  // What it is allowed: several calls at once, calls nobody asked for (it changes nothing), and calls again.
  out->flags = THW_TOOL_PARALLEL | THW_TOOL_READ_ONLY | THW_TOOL_IDEMPOTENT;
  out->name = str("@NAME@");
  out->description = str("Counts the words of a text.");
  out->parameters = str(R"({"type":"object","properties":{"text":{"type":"string"}},"required":["text"]})");
  return THW_OK;
}

size_t count_words(std::string_view text) {
  constexpr std::string_view blanks = " \t\n\v\f\r";
  size_t words = 0;
  for (size_t at = text.find_first_not_of(blanks); at != text.npos; at = text.find_first_not_of(blanks, at)) {
    words++;
    at = text.find_first_of(blanks, at);
    if (at == text.npos) break;
  }
  return words;
}

// Answers before it returns. One that takes longer returns THW_PENDING, and finishes the sink from a thread of its own.
thw_status invoke(void *, uint32_t index, const thw_str *, const thw_str *arguments, thw_sink *sink, thw_cancel *,
                  thw_error *error) {
  return guarded(error, [&] {
    if (index != 0) return fail(error, THW_E_INVALID, "there is no such tool");
    auto text = text_of(find(view(*arguments), "/text"));
    if (!text) throw std::invalid_argument(R"(pass {"text": "the words to count"})");
    std::string number = std::to_string(count_words(*text));
    thw_event answer{};
    answer.kind = THW_EVENT_TOOL_RESULT;
    answer.text = str(number);
    services->sink_push(sink, &answer, 1);
    services->sink_finish(sink, THW_OK, nullptr);
    return THW_OK;
  });
}

const thw_tool tool = { sizeof(thw_tool), 0, count, describe, invoke };

const void *get_interface(void *, const char *id) {
  return id != nullptr && std::strcmp(id, THW_INTERFACE_TOOL) == 0 ? &tool : nullptr;
}

@ENTRY@
