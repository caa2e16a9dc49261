// A plugin of a user's own: the provider "parrot", which calls the tool `ping` and then says what it answered, and that
// tool.

#include "thalweg_plugin.h"

#include <string.h>

static const thw_host_services *SERVICES;

static thw_str str(const char *text) {
  thw_str s = { (const uint8_t *)text, strlen(text) };
  return s;
}

static void push(thw_sink *sink, uint32_t kind, const char *text, const char *aux, int64_t num) {
  thw_event event;
  memset(&event, 0, sizeof event);
  event.kind = kind;
  event.text = str(text);
  event.aux = str(aux);
  event.num = num;
  SERVICES->sink_push(sink, &event, 1);
}

static thw_status describe_provider(void *context, thw_str *json) {
  (void)context;
  *json = str("{\"provider\":\"parrot\",\"models\":[{\"id\":\"grey\"}]}");
  return THW_OK;
}

static thw_status start(void *context, const thw_str *request, thw_sink *sink, thw_cancel *cancel, thw_error *error) {
  const char *answer = "\"role\":\"tool\"";
  int has_answer = 0;
  (void)context, (void)cancel, (void)error;
  for (size_t at = 0; at + strlen(answer) <= request->len; at++) {
    has_answer |= memcmp(request->ptr + at, answer, strlen(answer)) == 0;
  }
  if (has_answer) {
    push(sink, THW_EVENT_TEXT, "The tool was called.", "", 0);
    push(sink, THW_EVENT_STOP, "", "", THW_STOP_END);
  } else {
    push(sink, THW_EVENT_TOOL_BEGIN, "ping", "call_1", 0);
    push(sink, THW_EVENT_TOOL_ARGUMENTS, "{}", "", 0);
    push(sink, THW_EVENT_STOP, "", "", THW_STOP_TOOL_USE);
  }
  SERVICES->sink_finish(sink, THW_OK, NULL);
  return THW_OK;
}

static const thw_provider PROVIDER = { sizeof(thw_provider), 0, describe_provider, start };

static uint32_t count(void *context) {
  (void)context;
  return 1;
}

static thw_status describe_tool(void *context, uint32_t index, thw_tool_info *out) {
  (void)context, (void)index;
  out->flags = THW_TOOL_PARALLEL | THW_TOOL_READ_ONLY | THW_TOOL_IDEMPOTENT;
  out->name = str("ping");
  out->description = str("Answers pong.");
  out->parameters = str("{\"type\":\"object\",\"properties\":{}}");
  return THW_OK;
}

static thw_status invoke(void *context, uint32_t index, const thw_str *call_id, const thw_str *arguments,
                         thw_sink *sink, thw_cancel *cancel, thw_error *error) {
  (void)context, (void)index, (void)call_id, (void)arguments, (void)cancel, (void)error;
  push(sink, THW_EVENT_TOOL_RESULT, "pong", "", 0);
  SERVICES->sink_finish(sink, THW_OK, NULL);
  return THW_OK;
}

static const thw_tool TOOL = { sizeof(thw_tool), 0, count, describe_tool, invoke };

static const void *get_interface(void *context, const char *id) {
  (void)context;
  if (strcmp(id, THW_INTERFACE_PROVIDER) == 0) return &PROVIDER;
  return strcmp(id, THW_INTERFACE_TOOL) == 0 ? &TOOL : NULL;
}

const thw_manifest thw_plugin_manifest_v1 = THW_MANIFEST("example.parrot", "1.0.0");

thw_status thw_plugin_entry_v1(const thw_host *host, const thw_host_services *services, uint32_t host_minor,
                               thw_plugin *plugin, thw_error *error) {
  (void)host, (void)host_minor, (void)error;
  SERVICES = services;
  plugin->struct_size = sizeof *plugin;
  plugin->get_interface = get_interface;
  return THW_OK;
}
