// A provider that is a function of this program, and a hook that stands before it; no server, no key.
#include <stdio.h>
#include <string.h>
#include <thalweg.h>

static thw_str str(const char *text) {
  thw_str s = { (const uint8_t *)text, strlen(text) };
  return s;
}

static void push(thw_sink *sink, uint32_t kind, int64_t num, const char *text) {
  thw_event event;
  memset(&event, 0, sizeof event);
  event.kind = kind, event.num = num, event.text = str(text);
  if (thw_sink_push(sink, &event, 1) == THW_PENDING) thw_sink_wait(sink, -1); // as fast as it is read
}

static thw_status reply(void *context, const thw_str *call_id, const thw_str *request, thw_sink *sink, thw_cancel *cancel,
                        thw_error *error) {
  (void)context, (void)call_id, (void)cancel, (void)error;
  char size[64];
  snprintf(size, sizeof size, "a request of %zu bytes.\n", request->len);
  push(sink, THW_EVENT_TEXT, 0, "I was asked in ");
  push(sink, THW_EVENT_TEXT, 0, size);
  push(sink, THW_EVENT_STOP, THW_STOP_END, "stop");
  return thw_sink_answer(sink, THW_OK, NULL, 0);
}

static thw_status brief(void *context, const thw_str *call_id, const thw_str *messages, thw_sink *sink, thw_cancel *cancel,
                        thw_error *error) {
  (void)context, (void)call_id, (void)messages, (void)cancel, (void)error;
  return thw_sink_answer(sink, THW_OK, "[{\"role\": \"user\", \"content\": [{\"type\": \"text\", \"text\": \"In brief?\"}]}]", THW_NUL);
}

int main(void) {
  thw_error error = THW_ERROR_INIT;
  thw_host_provider provider = { sizeof provider, 0, str("here"), reply, NULL, NULL };
  thw_host_hook hook = { sizeof hook, THW_HOOK_TRANSFORM_CONTEXT, brief, NULL, NULL };
  thw_callbacks callbacks = THW_CALLBACKS_INIT;
  callbacks.providers_len = 1, callbacks.providers = &provider;
  callbacks.hooks_len = 1, callbacks.hooks = &hook;
  thw_engine *engine = thw_engine_new(NULL, 0, &error);
  thw_agent *agent = thw_agent_new(engine, "{\"model\": \"here/model-1\"}", THW_NUL, &callbacks, &error);
  thw_run *run = thw_agent_prompt(agent, "Why is the sky blue?", THW_NUL, NULL, &error);
  thw_str text;
  if (thw_run_wait(run, THW_FOREVER, &error) == THW_OK && thw_run_text(run, &text, &error) == THW_OK)
    printf("%s", (const char *)text.ptr);
  else
    fprintf(stderr, "%s\n", (const char *)error.message);
  thw_run_free(run), thw_agent_free(agent), thw_engine_free(engine);
  return error.code < 0;
}
