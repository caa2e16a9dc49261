// A tool with the fault that FAULT says: 1 it takes memory of the engine and keeps it, 2 memory of its own, 3 it ignores a
// cancel, 4 it never answers empty arguments, 5 it finishes twice and says ok without having finished at all for wrong
// arguments, 6 it may change something, 7 it crashes, 8 it ends the process. 0 has none.

#include "thalweg_plugin.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef FAULT
#define FAULT 0
#endif

typedef struct engine {
  const thw_host *host;
  const thw_host_services *services;
} engine;

static engine ENGINE;
void *volatile kept;

static thw_str str(const char *text) {
  thw_str s = { (const uint8_t *)text, strlen(text) };
  return s;
}

static uint32_t count(void *context) {
  (void)context;
  return 1;
}

static thw_status describe(void *context, uint32_t index, thw_tool_info *out) {
  (void)context;
  if (index != 0) return THW_E_INVALID;
  out->flags = THW_TOOL_BLOCKING | THW_TOOL_PARALLEL | (FAULT == 6 ? 0 : THW_TOOL_READ_ONLY);
  out->name = str("faulty");
  out->description = str("Answers, more or less.");
  out->parameters = str("{\"type\":\"object\"}");
  return THW_OK;
}

static thw_status invoke(void *context, uint32_t index, const thw_str *call_id, const thw_str *arguments,
                         thw_sink *sink, thw_cancel *cancel, thw_error *error) {
  thw_event answer;
  (void)context, (void)index, (void)call_id, (void)error;
  if (FAULT == 1) kept = ENGINE.services->alloc(ENGINE.host, 24, 8);
  if (FAULT == 2) kept = malloc(24);
  if (FAULT == 3 && ENGINE.services->is_cancelled(cancel)) sleep(1000);
  if (FAULT == 4 && arguments->len == 0) sleep(1000);
  if (FAULT == 7 && arguments->len == 0) *(volatile int *)(uintptr_t)arguments->len = 1;
  if (FAULT == 8 && arguments->len == 0) exit(0);
  if (FAULT == 5 && arguments->len == 1) return THW_OK;
  memset(&answer, 0, sizeof answer);
  answer.kind = THW_EVENT_TOOL_RESULT;
  answer.text = str("done");
  (void)ENGINE.services->sink_push(sink, &answer, 1);
  (void)ENGINE.services->sink_finish(sink, THW_OK, NULL);
  return THW_OK;
}

static const thw_tool TOOL = { sizeof(thw_tool), 0, count, describe, invoke };

static const void *get_interface(void *context, const char *id) {
  (void)context;
  return strcmp(id, THW_INTERFACE_TOOL) == 0 ? &TOOL : NULL;
}

const thw_manifest thw_plugin_manifest_v1 = THW_MANIFEST("example.faulty", "1.0.0");

thw_status thw_plugin_entry_v1(const thw_host *host, const thw_host_services *services, uint32_t host_minor,
                               thw_plugin *plugin, thw_error *error) {
  (void)host_minor, (void)error;
  ENGINE.host = host;
  ENGINE.services = services;
  plugin->struct_size = sizeof *plugin;
  plugin->get_interface = get_interface;
  return THW_OK;
}
