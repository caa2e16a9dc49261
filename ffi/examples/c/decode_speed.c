// How long the bare decoder takes for an event: a long reply of OpenAI's chat dialect, from memory, in chunks of 16 KiB.
//
//   cc -O2 decode_speed.c $(pkg-config --cflags --libs thalweg) && ./a.out
#define _POSIX_C_SOURCE 199309L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <thalweg.h>
#include <time.h>

#define CHUNK 16384

static double now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

int main(int argc, char **argv) {
  int deltas = argc > 1 ? atoi(argv[1]) : 100000, passes = argc > 2 ? atoi(argv[2]) : 20;
  char *body = malloc((size_t)deltas * 320 + 1024);
  if (body == NULL) return 1;
  size_t len = 0, expected = 0;
  static const char *words[] = { " the", " quick", " brown", " fox", " jumps", " over", " a", " lazy", " dog" };
  for (int i = 0; i < deltas; i++) {
    const char *word = words[i % 9];
    expected += strlen(word);
    len += (size_t)sprintf(body + len,
                           "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1795248000,"
                           "\"model\":\"gpt-4o-mini\",\"service_tier\":\"default\",\"system_fingerprint\":\"fp_1\","
                           "\"choices\":[{\"index\":0,\"delta\":{\"content\":\"%s\"},\"logprobs\":null,"
                           "\"finish_reason\":null}],\"usage\":null,\"obfuscation\":\"%.*s\"}\n\n",
                           word, i % 7, "aB3dE5g");
  }
  len += (size_t)sprintf(body + len, "data: [DONE]\n\n");

  thw_error error = THW_ERROR_INIT;
  thw_decoder *decoder = thw_decoder_new("openai-chat", THW_NUL, NULL, 0, &error);
  double best = 0;
  for (int pass = 0; pass < passes; pass++) {
    size_t events = 0, bytes = 0;
    thw_decoder_reset(decoder);
    double start = now_ns();
    for (size_t at = 0; at < len; at += CHUNK) {
      const thw_event *event;
      size_t count;
      size_t part = len - at < CHUNK ? len - at : CHUNK;
      if (thw_decoder_feed(decoder, (const uint8_t *)body + at, part, &event, &count, &error) < 0) break;
      events += count;
      for (; count > 0; count--, event++)
        if (event->kind == THW_EVENT_TEXT) bytes += event->text.len;
    }
    double each = (now_ns() - start) / (double)events;
    if (error.code < 0 || bytes != expected) {
      fprintf(stderr, "wrong: %zu of %zu bytes, %s\n", bytes, expected, (const char *)error.message);
      return 1;
    }
    if (pass == 0 || each < best) best = each;
  }
  printf("%.1f ns an event, %.2f GB/s\n", best, (double)len / best / (double)deltas);
  thw_decoder_free(decoder), free(body);
  return 0;
}
