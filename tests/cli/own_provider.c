// A plugin that brings a dialect and the provider that speaks it. Its streams are never opened.

#include "thalweg_plugin.h"

#include <string.h>

static const char DESCRIPTION[] =
    "{\"dialect\":\"house-talk\",\"framing\":\"sse\",\"auth\":{\"kind\":\"bearer\"},\"volatile_keys\":[],"
    "\"providers\":[{\"id\":\"house\",\"base_url\":\"https://llm.house.example/v1\",\"dialect\":\"house-talk\","
    "\"keys\":\"HOUSE_KEY\",\"auth\":{\"kind\":\"header\",\"name\":\"x-house\"},\"flags\":{\"polite\":true}}]}";

static thw_status describe(void *context, thw_str *json) {
  (void)context;
  json->ptr = (const uint8_t *)DESCRIPTION;
  json->len = sizeof DESCRIPTION - 1;
  return THW_OK;
}

static thw_status refuse_open(void *context, const thw_str *options, void **stream, thw_error *error) {
  (void)context, (void)options, (void)stream, (void)error;
  return THW_E_UNSUPPORTED;
}

static thw_status no_message(void *stream, const thw_str *message, thw_str *out, thw_error *error) {
  (void)stream, (void)message, (void)out, (void)error;
  return THW_E_STATE;
}

static thw_status no_request(void *stream, const thw_str *request, thw_http_request *out, thw_error *error) {
  (void)stream, (void)request, (void)out, (void)error;
  return THW_E_STATE;
}

static thw_status no_decode(void *stream, const thw_frame *frames, uint32_t frames_len, uint32_t *next,
                            thw_event *events, uint32_t events_cap, uint32_t *events_len, thw_error *error) {
  (void)stream, (void)frames, (void)frames_len, (void)next, (void)events, (void)events_cap, (void)events_len;
  (void)error;
  return THW_E_STATE;
}

static thw_status no_finish(void *stream, thw_event *events, uint32_t events_cap, uint32_t *events_len,
                            thw_error *error) {
  (void)stream, (void)events, (void)events_cap, (void)events_len, (void)error;
  return THW_E_STATE;
}

static void nothing(void *stream) { (void)stream; }

static const thw_codec CODEC = { sizeof(thw_codec), 0,         describe, refuse_open, no_message,
                                 no_request,        no_decode, no_finish, nothing,    nothing };

static const void *get_interface(void *context, const char *id) {
  (void)context;
  return strcmp(id, THW_INTERFACE_CODEC) == 0 ? &CODEC : NULL;
}

const thw_manifest thw_plugin_manifest_v1 = THW_MANIFEST("example.house", "1.0.0");

thw_status thw_plugin_entry_v1(const thw_host *host, const thw_host_services *services, uint32_t host_minor,
                               thw_plugin *plugin, thw_error *error) {
  (void)host, (void)services, (void)host_minor, (void)error;
  plugin->struct_size = sizeof *plugin;
  plugin->get_interface = get_interface;
  return THW_OK;
}
