#include "thalweg_plugin.h"

#include <stdio.h>
#include <string.h>

// What the engine offers, and its lookups in JSON. Set by the entry function; lives as long as the process.
static const thw_host *HOST;
static const thw_host_services *SERVICES;
static const thw_json *JSON;

static thw_str str(const char *text) {
  thw_str s = { (const uint8_t *)text, strlen(text) };
  return s;
}

// Fills the caller's error, which may be NULL.
static thw_status fail(thw_error *error, thw_status code, const char *message) {
  if (error != NULL && error->struct_size >= sizeof *error) {
    int len = snprintf((char *)error->message, sizeof error->message, "%s", message);
    int last = (int)sizeof error->message - 1;
    error->code = code;
    error->http_status = 0;
    error->flags = 0;
    error->retry_after_ms = -1;
    error->message_len = (uint32_t)(len < 0 ? 0 : len > last ? last : len);
  }
  return code;
}

// The JSON behind a pointer such as "/messages/-1/role"; 0 if there is none.
static int find(const thw_str *json, const char *pointer, thw_str *value) {
  thw_str path = str(pointer);
  return JSON->find(json, &path, value) == THW_OK;
}
