// Prints the layout of every struct of the header: name, size and alignment; then each member with offset and size.

#include "thalweg_plugin.h"

#include <stdalign.h>
#include <stdio.h>

#define TYPE(type) printf("%s %zu %zu\n", #type, sizeof(type), alignof(type))
#define MEMBER(type, member) \
  printf("%s.%s %zu %zu\n", #type, #member, offsetof(type, member), sizeof(((type *)0)->member))

int main(void) {
  TYPE(thw_str);
  MEMBER(thw_str, ptr);
  MEMBER(thw_str, len);
  TYPE(thw_error);
  MEMBER(thw_error, struct_size);
  MEMBER(thw_error, code);
  MEMBER(thw_error, http_status);
  MEMBER(thw_error, flags);
  MEMBER(thw_error, retry_after_ms);
  MEMBER(thw_error, message_len);
  MEMBER(thw_error, reserved);
  MEMBER(thw_error, message);
  TYPE(thw_event);
  MEMBER(thw_event, kind);
  MEMBER(thw_event, flags);
  MEMBER(thw_event, block);
  MEMBER(thw_event, sub);
  MEMBER(thw_event, text);
  MEMBER(thw_event, aux);
  MEMBER(thw_event, num);
  MEMBER(thw_event, seq);
  TYPE(thw_frame);
  MEMBER(thw_frame, data);
  MEMBER(thw_frame, event);
  MEMBER(thw_frame, kind);
  MEMBER(thw_frame, status);
  TYPE(thw_manifest);
  MEMBER(thw_manifest, magic);
  MEMBER(thw_manifest, struct_size);
  MEMBER(thw_manifest, abi_major);
  MEMBER(thw_manifest, abi_minor);
  MEMBER(thw_manifest, min_host_minor);
  MEMBER(thw_manifest, pointer_bits);
  MEMBER(thw_manifest, event_size);
  MEMBER(thw_manifest, flags);
  MEMBER(thw_manifest, id);
  MEMBER(thw_manifest, version);
  MEMBER(thw_manifest, build);
  MEMBER(thw_manifest, cpu);
  TYPE(thw_host_services);
  MEMBER(thw_host_services, struct_size);
  MEMBER(thw_host_services, abi_minor);
  MEMBER(thw_host_services, log);
  MEMBER(thw_host_services, log_enabled);
  MEMBER(thw_host_services, alloc);
  MEMBER(thw_host_services, dealloc);
  MEMBER(thw_host_services, now_ns);
  MEMBER(thw_host_services, get_extension);
  MEMBER(thw_host_services, sink_push);
  MEMBER(thw_host_services, sink_finish);
  MEMBER(thw_host_services, is_cancelled);
  MEMBER(thw_host_services, on_cancel);
  MEMBER(thw_host_services, off_cancel);
  MEMBER(thw_host_services, sink_wait);
  TYPE(thw_json);
  MEMBER(thw_json, struct_size);
  MEMBER(thw_json, flags);
  MEMBER(thw_json, find);
  MEMBER(thw_json, count);
  MEMBER(thw_json, unescape);
  MEMBER(thw_json, escape);
  TYPE(thw_plugin);
  MEMBER(thw_plugin, struct_size);
  MEMBER(thw_plugin, flags);
  MEMBER(thw_plugin, context);
  MEMBER(thw_plugin, deinit);
  MEMBER(thw_plugin, get_interface);
  TYPE(thw_http_header);
  MEMBER(thw_http_header, name);
  MEMBER(thw_http_header, value);
  TYPE(thw_http_request);
  MEMBER(thw_http_request, struct_size);
  MEMBER(thw_http_request, headers_len);
  MEMBER(thw_http_request, method);
  MEMBER(thw_http_request, path);
  MEMBER(thw_http_request, headers);
  MEMBER(thw_http_request, body_head);
  MEMBER(thw_http_request, body_tail);
  TYPE(thw_codec);
  MEMBER(thw_codec, struct_size);
  MEMBER(thw_codec, flags);
  MEMBER(thw_codec, describe);
  MEMBER(thw_codec, open);
  MEMBER(thw_codec, encode_message);
  MEMBER(thw_codec, encode_request);
  MEMBER(thw_codec, decode);
  MEMBER(thw_codec, finish);
  MEMBER(thw_codec, reset);
  MEMBER(thw_codec, close);
  TYPE(thw_provider);
  MEMBER(thw_provider, struct_size);
  MEMBER(thw_provider, flags);
  MEMBER(thw_provider, describe);
  MEMBER(thw_provider, start);
  TYPE(thw_tool_info);
  MEMBER(thw_tool_info, struct_size);
  MEMBER(thw_tool_info, flags);
  MEMBER(thw_tool_info, name);
  MEMBER(thw_tool_info, description);
  MEMBER(thw_tool_info, parameters);
  TYPE(thw_tool);
  MEMBER(thw_tool, struct_size);
  MEMBER(thw_tool, flags);
  MEMBER(thw_tool, count);
  MEMBER(thw_tool, describe);
  MEMBER(thw_tool, invoke);
  return 0;
}
