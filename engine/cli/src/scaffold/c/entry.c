// ---- The plugin: its two symbols ----

const thw_manifest thw_plugin_manifest_v1 = THW_MANIFEST("@NAME@", "0.1.0");

thw_status thw_plugin_entry_v1(const thw_host *host, const thw_host_services *services, uint32_t host_minor,
                               thw_plugin *plugin, thw_error *error) {
  (void)host_minor;
  if (plugin == NULL || plugin->struct_size < sizeof *plugin) return THW_E_INVALID;
  if (!THW_HAS(services, get_extension) || !THW_HAS(services, alloc) || !THW_HAS(services, sink_wait)) {
    return fail(error, THW_E_VERSION, "the engine is too old for this plugin");
  }
  HOST = host;
  SERVICES = services;
  JSON = services->get_extension(host, THW_EXTENSION_JSON);
  if (!THW_HAS(JSON, find) || !THW_HAS(JSON, unescape)) {
    return fail(error, THW_E_UNSUPPORTED, "the engine does not offer thw.json/1");
  }
  plugin->struct_size = sizeof *plugin;
  plugin->get_interface = get_interface;
  return THW_OK;
}
