// A tool that asks the engine for HTTP, well or wrongly: its arguments are a mode and a URL. It answers with what it saw.

#include "thalweg_plugin.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const thw_host *host;
static const thw_host_services *services;
static const thw_http *http;

// What was seen by an exchange that outlived its call.
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char left_over[256];

typedef struct job {
  char mode[32];
  char report[256];
  thw_sink *sink;
  uint64_t exchange;
  size_t body;
  int detached;
} job;

static int is(const job *j, const char *mode) { return strcmp(j->mode, mode) == 0; }

static void note(job *j, const char *what) {
  size_t used = strlen(j->report);
  snprintf(j->report + used, sizeof j->report - used, "%s;", what);
}

static void answer(thw_sink *sink, const char *text) {
  thw_event event;
  memset(&event, 0, sizeof event);
  event.kind = THW_EVENT_TOOL_RESULT;
  event.text.ptr = (const uint8_t *)text;
  event.text.len = strlen(text);
  services->sink_push(sink, &event, 1);
  services->sink_finish(sink, THW_OK, NULL);
}

static void *resume_later(void *at) {
  job *j = at;
  struct timespec pause = { 0, 1000000 };
  nanosleep(&pause, NULL);
  http->resume(j->exchange);
  return NULL;
}

static thw_status on_head(void *user, uint32_t status, const thw_http_header *headers, uint32_t headers_len) {
  job *j = user;
  char line[64];
  const char *mark = "no";
  for (uint32_t i = 0; i < headers_len; i++) {
    if (headers[i].name.len == 6 && memcmp(headers[i].name.ptr, "x-mark", 6) == 0) mark = "yes";
  }
  snprintf(line, sizeof line, "head %u %s", (unsigned)status, mark);
  note(j, line);
  if (is(j, "stop_in_head")) return THW_E_FAILED;
  if (is(j, "abort") || is(j, "abort_twice")) http->abort(j->exchange);
  if (is(j, "abort_twice")) http->abort(j->exchange);
  return THW_OK;
}

static thw_status on_body(void *user, const thw_str *bytes) {
  job *j = user;
  if (is(j, "stop_in_body")) return THW_E_FAILED;
  j->body += bytes->len;
  if (is(j, "eager")) {
    http->resume(j->exchange);
    return THW_PENDING;
  }
  if (is(j, "slow")) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, resume_later, j) != 0) return THW_E_FAILED;
    pthread_detach(thread);
    // The job may be gone before the thread of the last piece runs: the exchange does not end before it is resumed.
    return THW_PENDING;
  }
  return THW_OK;
}

static void on_end(void *user, thw_status status, const thw_error *error) {
  job *j = user;
  char line[64];
  if ((status == THW_OK) != (error == NULL)) note(j, "an error that does not fit its status");
  if (j->body > 0 && !j->detached) {
    snprintf(line, sizeof line, "body %zu", j->body);
    note(j, line);
  }
  snprintf(line, sizeof line, "end %d", (int)status);
  note(j, line);
  if (is(j, "abort_twice")) {
    snprintf(line, sizeof line, "late %d %d", (int)http->resume(j->exchange), (int)http->abort(j->exchange));
    note(j, line);
  }
  if (j->detached) {
    pthread_mutex_lock(&lock);
    snprintf(left_over, sizeof left_over, "%s", j->report);
    pthread_mutex_unlock(&lock);
  } else {
    answer(j->sink, j->report);
  }
  free(j);
}

static uint32_t count(void *context) {
  (void)context;
  return 1;
}

static thw_str str(const char *text) {
  thw_str s;
  s.ptr = (const uint8_t *)text;
  s.len = strlen(text);
  return s;
}

static thw_status describe(void *context, uint32_t index, thw_tool_info *out) {
  (void)context;
  (void)index;
  out->flags = THW_TOOL_PARALLEL;
  out->name = str("fetch");
  out->description = str("Fetches.");
  out->parameters = str("{\"type\":\"object\"}");
  return THW_OK;
}

static thw_status invoke(void *context, uint32_t index, const thw_str *call_id, const thw_str *arguments, thw_sink *sink,
                         thw_cancel *cancel, thw_error *error) {
  (void)context, (void)index, (void)call_id, (void)error;
  char text[256], line[64];
  size_t len = arguments->len < sizeof text ? arguments->len : sizeof text - 1;
  memcpy(text, arguments->ptr, len);
  text[len] = 0;
  if (strcmp(text, "report") == 0) {
    pthread_mutex_lock(&lock);
    snprintf(text, sizeof text, "%s", left_over);
    pthread_mutex_unlock(&lock);
    answer(sink, text);
    return THW_OK;
  }
  job *j = calloc(1, sizeof *j);
  char *url = strchr(text, ' ');
  if (j == NULL || url == NULL) return THW_E_INVALID;
  *url++ = 0;
  size_t mode_len = strlen(text) < sizeof j->mode ? strlen(text) : sizeof j->mode - 1;
  memcpy(j->mode, text, mode_len);
  j->sink = sink;

  thw_http_header headers[2] = { { str("x-one"), str("1") }, { str("x-two"), str("2") } };
  thw_http_call request;
  memset(&request, 0, sizeof request);
  request.struct_size = sizeof request;
  request.method = str("GET");
  request.url = str(url);
  request.headers = headers;
  request.headers_len = 2;
  thw_http_receiver receiver = { sizeof receiver, 0, j, on_head, on_body, on_end };
  if (is(j, "no_head")) receiver.head = NULL;
  if (is(j, "small_request")) request.struct_size = sizeof request - 1;
  if (is(j, "small_receiver")) receiver.struct_size = 8;
  if (is(j, "no_body")) receiver.body = NULL;
  if (is(j, "no_end")) receiver.end = NULL;
  if (is(j, "null_url")) request.url.ptr = NULL;
  if (is(j, "huge_url")) request.url.len = (size_t)-1;
  if (is(j, "not_utf8")) request.url = str("http://127.0.0.1/\xff");
  if (is(j, "null_headers")) request.headers = NULL;
  if (is(j, "many_headers")) request.headers_len = UINT32_MAX;
  if (is(j, "bad_method")) request.method = str("G E T");
  if (is(j, "bad_header")) headers[0].name = str("x one\r\n");
  if (is(j, "bad_url")) request.url = str("not a url");
  if (is(j, "finish_early")) j->detached = 1;
  thw_cancel *call = is(j, "wrong_call") ? (thw_cancel *)(uintptr_t)0x7fffffff : cancel;
  int detached = j->detached;
  // Past this the job is the exchange's, if there is one.
  thw_status status = http->send(call, is(j, "null_request") ? NULL : &request, is(j, "null_receiver") ? NULL : &receiver,
                                 is(j, "null_exchange") ? NULL : &j->exchange, NULL);
  if (status != THW_OK) {
    snprintf(line, sizeof line, "refused %d;", (int)status);
    free(j);
    answer(sink, line);
    return THW_OK;
  }
  if (detached) {
    answer(sink, "left");
    return THW_OK;
  }
  return THW_PENDING;
}

static const thw_tool TOOL = { sizeof(thw_tool), 0, count, describe, invoke };

static const void *get_interface(void *context, const char *id) {
  (void)context;
  return strcmp(id, THW_INTERFACE_TOOL) == 0 ? &TOOL : NULL;
}

const thw_manifest thw_plugin_manifest_v1 = THW_MANIFEST("test.fetch", "1.0.0");

thw_status thw_plugin_entry_v1(const thw_host *given_host, const thw_host_services *given, uint32_t host_minor,
                               thw_plugin *plugin, thw_error *error) {
  (void)host_minor, (void)error;
  host = given_host;
  services = given;
  http = services->get_extension(host, THW_EXTENSION_HTTP);
  if (!THW_HAS(http, send) || !THW_HAS(http, resume) || !THW_HAS(http, abort)) return THW_E_UNSUPPORTED;
  plugin->struct_size = sizeof *plugin;
  plugin->get_interface = get_interface;
  return THW_OK;
}
