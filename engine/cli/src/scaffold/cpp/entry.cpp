} // namespace

// ---- The plugin: its two symbols ----

const thw_manifest thw_plugin_manifest_v1 = THW_MANIFEST("@NAME@", "0.1.0");

thw_status thw_plugin_entry_v1(const thw_host *host, const thw_host_services *offered, uint32_t, thw_plugin *plugin,
                               thw_error *error) {
  if (plugin == nullptr || plugin->struct_size < sizeof *plugin) return THW_E_INVALID;
  if (!THW_HAS(offered, get_extension) || !THW_HAS(offered, sink_wait)) {
    return fail(error, THW_E_VERSION, "the engine is too old for this plugin");
  }
  services = offered;
  json = static_cast<const thw_json *>(offered->get_extension(host, THW_EXTENSION_JSON));
  if (!THW_HAS(json, find) || !THW_HAS(json, unescape)) {
    return fail(error, THW_E_UNSUPPORTED, "the engine does not offer thw.json/1");
  }
  plugin->struct_size = sizeof *plugin;
  plugin->get_interface = get_interface;
  return THW_OK;
}
