// The least that a program in C or C++ writes with the library, with every macro of the header.

#include "thalweg.h"
#include "thalweg.h" // Guarded.

#if !defined(THW_FEATURE_AGENT) || !defined(THW_FEATURE_DECODER) || !defined(THW_FEATURE_DRAIN)
#error "a feature is missing"
#endif
#if defined(__linux__) && !defined(THW_FEATURE_FD)
#error "Linux has descriptors"
#endif
#if THW_VERSION_NUMBER != (THW_VERSION_MAJOR << 16 | THW_VERSION_MINOR << 8 | THW_VERSION_PATCH)
#error "a version is wrong"
#endif

static thw_status on_batch(void *user, const thw_event *events, size_t count, thw_status status) {
  (void)user;
  return status == THW_EOF || events[count - 1].kind == THW_EVENT_AGENT_END ? THW_E_CANCELLED : THW_OK;
}

static thw_status echo(void *context, const thw_str *call_id, const thw_str *arguments, thw_sink *sink,
                       thw_cancel *cancel, thw_error *error) {
  (void)context;
  (void)call_id;
  (void)error;
  if (thw_cancel_is_set(cancel) != 0) return THW_E_CANCELLED;
  return thw_sink_answer(sink, THW_OK, (const char *)arguments->ptr, arguments->len);
}

int main(void) {
  thw_error error = THW_ERROR_INIT;
  thw_host_tool tool = { sizeof(thw_host_tool), THW_TOOL_PARALLEL, THW_STR("echo"), THW_STR("Says it again."),
                         THW_STR("{}"), echo, NULL, NULL };
  thw_host_hook hook = { sizeof(thw_host_hook), THW_HOOK_TRANSFORM_CONTEXT, echo, NULL, NULL };
  thw_host_provider provider = { sizeof(thw_host_provider), 0, THW_STR("own"), echo, NULL, NULL };
  thw_callbacks callbacks = THW_CALLBACKS_INIT;
  callbacks.tools_len = callbacks.hooks_len = callbacks.providers_len = 1;
  callbacks.tools = &tool;
  callbacks.hooks = &hook;
  callbacks.providers = &provider;
  thw_run_options options = { sizeof(thw_run_options), THW_RUN_DRAIN, NULL };
  thw_engine *engine = thw_engine_new(NULL, 0, &error);
  thw_agent *agent = thw_agent_new(engine, "{}", THW_NUL, &callbacks, &error);
  thw_run *run = thw_agent_prompt(agent, "hi", THW_NUL, &options, &error);
  thw_run_on_batch(run, on_batch, NULL, NULL, NULL);
  thw_run_wait(run, THW_FOREVER, NULL);
  thw_run_free(run);
  thw_agent_free(agent);
  thw_engine_free(engine);
  return error.code < 0 || thw_version_number() != THW_VERSION_NUMBER;
}
