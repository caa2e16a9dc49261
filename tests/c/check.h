// What the C programs of the tests share: a check that says where it failed.
#ifndef CHECK_H
#define CHECK_H

#define _DEFAULT_SOURCE // usleep

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <thalweg.h>

#define CHECK(condition) \
  do { \
    if (!(condition)) { \
      fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
      exit(1); \
    } \
  } while (0)

// As CHECK, for a call that fills `error`.
#define CHECK_OK(call) \
  do { \
    if (!(call)) { \
      fprintf(stderr, "%s:%d: %s: %d %s\n", __FILE__, __LINE__, #call, (int)error.code, (const char *)error.message); \
      exit(1); \
    } \
  } while (0)

static inline int equals(thw_str text, const char *literal) {
  return text.len == strlen(literal) && (text.len == 0 || memcmp(text.ptr, literal, text.len) == 0);
}

static inline int contains(const void *text, const char *part) { return strstr((const char *)text, part) != NULL; }

static inline thw_str str(const char *literal) {
  thw_str s;
  s.ptr = (const uint8_t *)literal;
  s.len = strlen(literal);
  return s;
}

// Options of an agent that talks to the server of the test.
static inline const char *options(const char *base_url, const char *more) {
  static char json[4096];
  snprintf(json, sizeof json, "{\"model\": \"m\", \"base_url\": \"%s\", \"retries\": 0%s}", base_url, more);
  return json;
}

// A text that grows.
typedef struct text {
  char bytes[1 << 16];
  size_t len;
} text;

static inline void put(text *out, thw_str piece) {
  CHECK(piece.len < sizeof out->bytes - out->len);
  if (piece.len > 0) memcpy(out->bytes + out->len, piece.ptr, piece.len);
  out->len += piece.len;
  out->bytes[out->len] = 0;
}

#endif
