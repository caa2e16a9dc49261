// The bare decoder: a body cut at every byte gives the same events as whole; ends, errors, and other bodies.
#include "check.h"

static thw_error error = THW_ERROR_INIT;

// What stands for an event, so that two ways can be compared; deltas side by side are joined by the text, not by the count.
static void put_events(text *out, const thw_event *events, size_t count, uint64_t *seq) {
  for (size_t i = 0; i < count; i++) {
    char head[96];
    CHECK(events[i].seq == (*seq)++);
    snprintf(head, sizeof head, "\n%u %u %u %lld ", events[i].kind, events[i].block, events[i].sub, (long long)events[i].num);
    put(out, str(head));
    put(out, events[i].text);
    put(out, str("|"));
    put(out, events[i].aux);
  }
}

static void decode(thw_decoder *decoder, const uint8_t *body, size_t len, size_t cut, text *out) {
  const thw_event *events;
  size_t count;
  uint64_t seq = 0;
  out->len = 0;
  CHECK(thw_decoder_reset(decoder) == THW_OK);
  for (size_t at = 0; at < len;) {
    // In memory of its own, which is gone after the call: a read beyond it is seen by valgrind.
    size_t part = cut == 0 ? len : at == 0 ? cut : len - at;
    uint8_t *bytes = malloc(part);
    CHECK(bytes != NULL);
    memcpy(bytes, body + at, part);
    CHECK_OK(thw_decoder_feed(decoder, bytes, part, &events, &count, &error) == THW_OK);
    put_events(out, events, count, &seq);
    free(bytes);
    at += part;
  }
  CHECK_OK(thw_decoder_finish(decoder, &events, &count, &error) == THW_OK);
  put_events(out, events, count, &seq);
}

int main(int argc, char **argv) {
  CHECK(argc > 1);
  static uint8_t body[1 << 16];
  FILE *file = fopen(argv[1], "rb");
  CHECK(file != NULL);
  size_t len = fread(body, 1, sizeof body, file);
  fclose(file);
  CHECK(len > 0 && len < sizeof body);
  size_t step = argc > 2 ? (size_t)atoi(argv[2]) : 1;

  thw_decoder *decoder;
  CHECK_OK(decoder = thw_decoder_new("openai-chat", THW_NUL, NULL, 0, &error));
  static text whole, cut;
  decode(decoder, body, len, 0, &whole);
  CHECK(contains(whole.bytes, "\xc3\xb6rld|") && contains(whole.bytes, "quote \" and \n"));
  for (size_t at = 1; at < len; at += step) {
    decode(decoder, body, len, at, &cut);
    CHECK(whole.len == cut.len && memcmp(whole.bytes, cut.bytes, cut.len) == 0);
  }

  // Texts lie in the caller's bytes where they can: nothing is copied.
  const thw_event *events;
  size_t count;
  CHECK(thw_decoder_reset(decoder) == THW_OK);
  CHECK_OK(thw_decoder_feed(decoder, body, len, &events, &count, &error) == THW_OK);
  int inside = 0;
  for (size_t i = 0; i < count; i++)
    inside += events[i].kind == THW_EVENT_TEXT && events[i].text.ptr >= body && events[i].text.ptr < body + len;
  CHECK(inside > 0);

  // Cut off: what came is there, and the status says so.
  CHECK(thw_decoder_reset(decoder) == THW_OK);
  const char *half = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\ndata: {\"choi";
  CHECK_OK(thw_decoder_feed(decoder, (const uint8_t *)half, strlen(half), &events, &count, &error) == THW_OK);
  CHECK(count > 0);
  CHECK(thw_decoder_finish(decoder, &events, &count, &error) == THW_E_PROTOCOL && count == 0);
  CHECK(contains(error.message, "cut off") && (error.flags & THW_ERROR_RETRYABLE));

  // The body of an HTTP error, in the provider's words.
  CHECK(thw_decoder_reset(decoder) == THW_OK);
  const char *refusal = "{\"error\":{\"message\":\"slow down\",\"type\":\"rate_limit_error\",\"code\":null}}";
  CHECK_OK(thw_decoder_body(decoder, 429, (const uint8_t *)refusal, strlen(refusal), &events, &count, &error) == THW_OK);
  CHECK(count == 1 && events[0].kind == THW_EVENT_ERROR && events[0].num == THW_FAILURE_RATE_LIMIT);
  CHECK(equals(events[0].text, "slow down"));

  // Empty input is fine.
  CHECK(thw_decoder_reset(decoder) == THW_OK);
  CHECK_OK(thw_decoder_feed(decoder, NULL, 0, &events, &count, &error) == THW_OK);
  CHECK(count == 0);
  thw_decoder_free(decoder);
  return 0;
}
