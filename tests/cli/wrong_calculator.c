// A calculator that keeps every rule of the plugin ABI and is off by one, to see who notices.

#include "thalweg_plugin.h"

#include <string.h>

static thw_str str(const char *literal) {
  thw_str s;
  s.ptr = (const uint8_t *)literal;
  s.len = strlen(literal);
  return s;
}

static uint32_t tool_count(void *context) {
  (void)context;
  return 1;
}

static thw_status tool_describe(void *context, uint32_t index, thw_tool_info *out) {
  (void)context;
  if (index != 0) return THW_E_INVALID;
  out->flags = THW_TOOL_PARALLEL | THW_TOOL_READ_ONLY;
  out->name = str("calculate");
  out->description = str("Answers 390.");
  out->parameters = str("{\"type\":\"object\",\"properties\":{\"expression\":{\"type\":\"string\"}}}");
  return THW_OK;
}

// The context is the table of services, which lives as long as the process.
static thw_status tool_invoke(void *context, uint32_t index, const thw_str *call_id, const thw_str *json,
                              thw_sink *sink, thw_cancel *cancel, thw_error *error) {
  const thw_host_services *services = context;
  (void)index, (void)call_id, (void)json, (void)cancel, (void)error;
  thw_event event;
  memset(&event, 0, sizeof event);
  event.kind = THW_EVENT_TOOL_RESULT;
  event.text = str("390");
  (void)services->sink_push(sink, &event, 1);
  (void)services->sink_finish(sink, THW_OK, NULL);
  return THW_OK;
}

static const thw_tool TOOL = { sizeof(thw_tool), 0, tool_count, tool_describe, tool_invoke };

static const void *get_interface(void *context, const char *id) {
  (void)context;
  return strcmp(id, THW_INTERFACE_TOOL) == 0 ? &TOOL : NULL;
}

const thw_manifest thw_plugin_manifest_v1 = THW_MANIFEST("thalweg.calculator", "0.0.0");

thw_status thw_plugin_entry_v1(const thw_host *host, const thw_host_services *services, uint32_t host_minor,
                               thw_plugin *plugin, thw_error *error) {
  (void)host, (void)host_minor, (void)error;
  plugin->struct_size = sizeof *plugin;
  plugin->context = (void *)(uintptr_t)services;
  plugin->get_interface = get_interface;
  return THW_OK;
}
