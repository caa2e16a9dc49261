// The least that a plugin in C or C++ writes, with every macro of the header.

#include "thalweg_plugin.h"
#include "thalweg_plugin.h" // Guarded.

const thw_manifest thw_plugin_manifest_v1 = THW_MANIFEST("test.least", "1.0.0");

static const void *get_interface(void *context, const char *id) {
  (void)context;
  (void)id;
  return NULL;
}

thw_status thw_plugin_entry_v1(const thw_host *host, const thw_host_services *services, uint32_t host_minor,
                               thw_plugin *plugin, thw_error *error) {
  thw_str target = THW_STR("least"), message = THW_STR("hello");
  (void)host_minor;
  (void)error;
  if (THW_HAS(services, log)) services->log(host, 3, &target, &message);
  if (!THW_HAS(services, off_cancel)) return THW_E_VERSION;
  plugin->struct_size = (uint32_t)sizeof *plugin;
  plugin->get_interface = get_interface;
  return THW_OK;
}
