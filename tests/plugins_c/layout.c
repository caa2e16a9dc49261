// The layout of every struct of the header, as version 1 froze it: asserted by the compiler where pointers have 64 bits,
// and printed as the compiler lays it out, to be compared with the side in Rust. ffi/abi/src/layout.rs has the same
// numbers. None of them changes; a table that grows gets new members at its end.

#include "thalweg_plugin.h"

#include <assert.h>
#include <stdalign.h>
#include <stdio.h>

#if UINTPTR_MAX == 0xffffffffffffffffu
#define FROZEN(condition, name) static_assert(condition, name " is not where version 1 froze it")
#else
#define FROZEN(condition, name) static_assert(1, name)
#endif

#define TYPE(type, size, align) \
  FROZEN(sizeof(type) == (size) && alignof(type) == (align), #type); \
  printf("%s %zu %zu\n", #type, sizeof(type), alignof(type))
#define MEMBER(type, member, offset, size) \
  FROZEN(offsetof(type, member) == (offset) && sizeof(((type *)0)->member) == (size), #type "." #member); \
  printf("%s.%s %zu %zu\n", #type, #member, offsetof(type, member), sizeof(((type *)0)->member))

int main(void) {
  TYPE(thw_str, 16, 8);
  MEMBER(thw_str, ptr, 0, 8);
  MEMBER(thw_str, len, 8, 8);
  TYPE(thw_error, 264, 8);
  MEMBER(thw_error, struct_size, 0, 4);
  MEMBER(thw_error, code, 4, 4);
  MEMBER(thw_error, http_status, 8, 4);
  MEMBER(thw_error, flags, 12, 4);
  MEMBER(thw_error, retry_after_ms, 16, 8);
  MEMBER(thw_error, message_len, 24, 4);
  MEMBER(thw_error, reserved, 28, 4);
  MEMBER(thw_error, message, 32, 232);
  TYPE(thw_event, 64, 8);
  MEMBER(thw_event, kind, 0, 4);
  MEMBER(thw_event, flags, 4, 4);
  MEMBER(thw_event, block, 8, 4);
  MEMBER(thw_event, sub, 12, 4);
  MEMBER(thw_event, text, 16, 16);
  MEMBER(thw_event, aux, 32, 16);
  MEMBER(thw_event, num, 48, 8);
  MEMBER(thw_event, seq, 56, 8);
  TYPE(thw_frame, 40, 8);
  MEMBER(thw_frame, data, 0, 16);
  MEMBER(thw_frame, event, 16, 16);
  MEMBER(thw_frame, kind, 32, 4);
  MEMBER(thw_frame, status, 36, 4);
  TYPE(thw_manifest, 224, 4);
  MEMBER(thw_manifest, magic, 0, 4);
  MEMBER(thw_manifest, struct_size, 4, 4);
  MEMBER(thw_manifest, abi_major, 8, 4);
  MEMBER(thw_manifest, abi_minor, 12, 4);
  MEMBER(thw_manifest, min_host_minor, 16, 4);
  MEMBER(thw_manifest, pointer_bits, 20, 4);
  MEMBER(thw_manifest, event_size, 24, 4);
  MEMBER(thw_manifest, flags, 28, 4);
  MEMBER(thw_manifest, id, 32, 64);
  MEMBER(thw_manifest, version, 96, 32);
  MEMBER(thw_manifest, build, 128, 64);
  MEMBER(thw_manifest, cpu, 192, 32);
  TYPE(thw_host_services, 104, 8);
  MEMBER(thw_host_services, struct_size, 0, 4);
  MEMBER(thw_host_services, abi_minor, 4, 4);
  MEMBER(thw_host_services, log, 8, 8);
  MEMBER(thw_host_services, log_enabled, 16, 8);
  MEMBER(thw_host_services, alloc, 24, 8);
  MEMBER(thw_host_services, dealloc, 32, 8);
  MEMBER(thw_host_services, now_ns, 40, 8);
  MEMBER(thw_host_services, get_extension, 48, 8);
  MEMBER(thw_host_services, sink_push, 56, 8);
  MEMBER(thw_host_services, sink_finish, 64, 8);
  MEMBER(thw_host_services, is_cancelled, 72, 8);
  MEMBER(thw_host_services, on_cancel, 80, 8);
  MEMBER(thw_host_services, off_cancel, 88, 8);
  MEMBER(thw_host_services, sink_wait, 96, 8);
  TYPE(thw_json, 40, 8);
  MEMBER(thw_json, struct_size, 0, 4);
  MEMBER(thw_json, flags, 4, 4);
  MEMBER(thw_json, find, 8, 8);
  MEMBER(thw_json, count, 16, 8);
  MEMBER(thw_json, unescape, 24, 8);
  MEMBER(thw_json, escape, 32, 8);
  TYPE(thw_plugin, 32, 8);
  MEMBER(thw_plugin, struct_size, 0, 4);
  MEMBER(thw_plugin, flags, 4, 4);
  MEMBER(thw_plugin, context, 8, 8);
  MEMBER(thw_plugin, deinit, 16, 8);
  MEMBER(thw_plugin, get_interface, 24, 8);
  TYPE(thw_http_header, 32, 8);
  MEMBER(thw_http_header, name, 0, 16);
  MEMBER(thw_http_header, value, 16, 16);
  TYPE(thw_http_request, 80, 8);
  MEMBER(thw_http_request, struct_size, 0, 4);
  MEMBER(thw_http_request, headers_len, 4, 4);
  MEMBER(thw_http_request, method, 8, 16);
  MEMBER(thw_http_request, path, 24, 16);
  MEMBER(thw_http_request, headers, 40, 8);
  MEMBER(thw_http_request, body_head, 48, 16);
  MEMBER(thw_http_request, body_tail, 64, 16);
  TYPE(thw_codec, 72, 8);
  MEMBER(thw_codec, struct_size, 0, 4);
  MEMBER(thw_codec, flags, 4, 4);
  MEMBER(thw_codec, describe, 8, 8);
  MEMBER(thw_codec, open, 16, 8);
  MEMBER(thw_codec, encode_message, 24, 8);
  MEMBER(thw_codec, encode_request, 32, 8);
  MEMBER(thw_codec, decode, 40, 8);
  MEMBER(thw_codec, finish, 48, 8);
  MEMBER(thw_codec, reset, 56, 8);
  MEMBER(thw_codec, close, 64, 8);
  TYPE(thw_provider, 24, 8);
  MEMBER(thw_provider, struct_size, 0, 4);
  MEMBER(thw_provider, flags, 4, 4);
  MEMBER(thw_provider, describe, 8, 8);
  MEMBER(thw_provider, start, 16, 8);
  TYPE(thw_tool_info, 56, 8);
  MEMBER(thw_tool_info, struct_size, 0, 4);
  MEMBER(thw_tool_info, flags, 4, 4);
  MEMBER(thw_tool_info, name, 8, 16);
  MEMBER(thw_tool_info, description, 24, 16);
  MEMBER(thw_tool_info, parameters, 40, 16);
  TYPE(thw_tool, 32, 8);
  MEMBER(thw_tool, struct_size, 0, 4);
  MEMBER(thw_tool, flags, 4, 4);
  MEMBER(thw_tool, count, 8, 8);
  MEMBER(thw_tool, describe, 16, 8);
  MEMBER(thw_tool, invoke, 24, 8);
  TYPE(thw_models, 16, 8);
  MEMBER(thw_models, struct_size, 0, 4);
  MEMBER(thw_models, flags, 4, 4);
  MEMBER(thw_models, list, 8, 8);
  TYPE(thw_embeddings, 48, 8);
  MEMBER(thw_embeddings, struct_size, 0, 4);
  MEMBER(thw_embeddings, flags, 4, 4);
  MEMBER(thw_embeddings, values, 8, 8);
  MEMBER(thw_embeddings, count, 16, 4);
  MEMBER(thw_embeddings, dimensions, 20, 4);
  MEMBER(thw_embeddings, input_tokens, 24, 8);
  MEMBER(thw_embeddings, model, 32, 16);
  TYPE(thw_embed, 48, 8);
  MEMBER(thw_embed, struct_size, 0, 4);
  MEMBER(thw_embed, flags, 4, 4);
  MEMBER(thw_embed, describe, 8, 8);
  MEMBER(thw_embed, open, 16, 8);
  MEMBER(thw_embed, encode, 24, 8);
  MEMBER(thw_embed, decode, 32, 8);
  MEMBER(thw_embed, close, 40, 8);
  TYPE(thw_serve, 56, 8);
  MEMBER(thw_serve, struct_size, 0, 4);
  MEMBER(thw_serve, flags, 4, 4);
  MEMBER(thw_serve, describe, 8, 8);
  MEMBER(thw_serve, open, 16, 8);
  MEMBER(thw_serve, parse, 24, 8);
  MEMBER(thw_serve, encode, 32, 8);
  MEMBER(thw_serve, finish, 40, 8);
  MEMBER(thw_serve, close, 48, 8);
  TYPE(thw_http_call, 96, 8);
  MEMBER(thw_http_call, struct_size, 0, 4);
  MEMBER(thw_http_call, headers_len, 4, 4);
  MEMBER(thw_http_call, method, 8, 16);
  MEMBER(thw_http_call, url, 24, 16);
  MEMBER(thw_http_call, headers, 40, 8);
  MEMBER(thw_http_call, body, 48, 16);
  MEMBER(thw_http_call, credential, 64, 16);
  MEMBER(thw_http_call, credential_header, 80, 16);
  TYPE(thw_http_receiver, 40, 8);
  MEMBER(thw_http_receiver, struct_size, 0, 4);
  MEMBER(thw_http_receiver, flags, 4, 4);
  MEMBER(thw_http_receiver, user, 8, 8);
  MEMBER(thw_http_receiver, head, 16, 8);
  MEMBER(thw_http_receiver, body, 24, 8);
  MEMBER(thw_http_receiver, end, 32, 8);
  TYPE(thw_http, 32, 8);
  MEMBER(thw_http, struct_size, 0, 4);
  MEMBER(thw_http, flags, 4, 4);
  MEMBER(thw_http, send, 8, 8);
  MEMBER(thw_http, resume, 16, 8);
  MEMBER(thw_http, abort, 24, 8);
  return 0;
}
