// Hooks at all four points, one of them answered later from another thread; and a provider of the program's own, whose replies they
// stand around. No server is asked.
#include "check.h"
#include <pthread.h>

static int dropped = 0, ran = 0, replies = 0, transformed = 0, converted = 0;

static int has(thw_str text, const char *part) {
  size_t len = strlen(part);
  for (size_t i = 0; i + len <= text.len; i++)
    if (memcmp(text.ptr + i, part, len) == 0) return 1;
  return 0;
}

static void drop(void *context) { *(int *)context = 1, dropped++; }

static void push(thw_sink *sink, uint32_t kind, uint32_t block, int64_t num, const char *text, const char *aux) {
  thw_event event;
  memset(&event, 0, sizeof event);
  event.kind = kind, event.block = block, event.num = num, event.text = str(text), event.aux = str(aux);
  CHECK(thw_sink_push(sink, &event, 1) >= THW_OK);
}

static thw_sink *waiting;
static pthread_t thread;

static void *finish_later(void *unused) {
  (void)unused;
  push(waiting, THW_EVENT_TEXT, 0, 0, "It is ", "");
  CHECK(thw_sink_wait(waiting, -1) == THW_OK);
  push(waiting, THW_EVENT_TEXT, 0, 0, "done.", "");
  push(waiting, THW_EVENT_STOP, 0, THW_STOP_END, "stop", "");
  CHECK(thw_sink_answer(waiting, THW_OK, NULL, 0) == THW_OK);
  return NULL;
}

// Calls two tools, then says that it is done.
static thw_status reply(void *context, const thw_str *call_id, const thw_str *request, thw_sink *sink, thw_cancel *cancel,
                        thw_error *error) {
  (void)context, (void)cancel, (void)error;
  CHECK(call_id->len == 0 && has(*request, "\"model\":\"one\""));
  // What the hooks put in the place of the conversation.
  CHECK(has(*request, "transformed and converted") && !has(*request, "as it was said"));
  replies++;
  if (replies == 1) {
    push(sink, THW_EVENT_TOOL_BEGIN, 0, 0, "add", "c1");
    push(sink, THW_EVENT_TOOL_ARGUMENTS, 0, 0, "{\"a\":1}", "");
    push(sink, THW_EVENT_TOOL_BEGIN, 1, 0, "rm", "c2");
    push(sink, THW_EVENT_TOOL_ARGUMENTS, 1, 0, "{}", "");
    push(sink, THW_EVENT_STOP, 0, THW_STOP_TOOL_USE, "tool_calls", "");
    CHECK(thw_sink_answer(sink, THW_OK, "", 0) == THW_OK);
    return THW_OK;
  }
  waiting = sink;
  CHECK(pthread_create(&thread, NULL, finish_later, NULL) == 0);
  return THW_PENDING;
}

static thw_status add(void *context, const thw_str *call_id, const thw_str *arguments, thw_sink *sink, thw_cancel *cancel,
                      thw_error *error) {
  (void)context, (void)call_id, (void)cancel, (void)error;
  ran++;
  // As the hook had it.
  CHECK(equals(*arguments, "{\"a\":2}"));
  return thw_sink_answer(sink, THW_OK, "3", 1);
}

static thw_status rm(void *context, const thw_str *call_id, const thw_str *arguments, thw_sink *sink, thw_cancel *cancel,
                     thw_error *error) {
  (void)context, (void)call_id, (void)arguments, (void)sink, (void)cancel, (void)error;
  CHECK(!"it was blocked");
  return THW_E_FAILED;
}

static thw_status before(void *context, const thw_str *call_id, const thw_str *input, thw_sink *sink, thw_cancel *cancel,
                         thw_error *error) {
  (void)context, (void)cancel, (void)error;
  CHECK(call_id->len == 0);
  const char *answer = has(*input, "\"tool_name\":\"rm\"") ? "{\"block\": true, \"reason\": \"too dangerous\"}"
                                                                     : "{\"args\": {\"a\": 2}}";
  return thw_sink_answer(sink, THW_OK, answer, THW_NUL);
}

static void *answer_later(void *sink) {
  CHECK(thw_sink_answer((thw_sink *)sink, THW_OK, "{\"text\": \"changed\"}", THW_NUL) == THW_OK);
  return NULL;
}

static thw_status after(void *context, const thw_str *call_id, const thw_str *input, thw_sink *sink, thw_cancel *cancel,
                        thw_error *error) {
  (void)context, (void)call_id, (void)cancel, (void)error;
  if (has(*input, "\"tool_name\":\"rm\"")) {
    CHECK(has(*input, "\"text\":\"too dangerous\"") && has(*input, "\"is_error\":true"));
    return thw_sink_answer(sink, THW_OK, NULL, 0); // As it is.
  }
  CHECK(has(*input, "\"text\":\"3\"") && has(*input, "{\"a\":2}"));
  pthread_t answering;
  CHECK(pthread_create(&answering, NULL, answer_later, sink) == 0 && pthread_detach(answering) == 0);
  return THW_PENDING;
}

static thw_status transform(void *context, const thw_str *call_id, const thw_str *input, thw_sink *sink, thw_cancel *cancel,
                            thw_error *error) {
  (void)context, (void)call_id, (void)cancel, (void)error;
  transformed++;
  CHECK(has(*input, "{\"messages\":[") && has(*input, "as it was said"));
  const char *other = "[{\"role\": \"user\", \"content\": [{\"type\": \"text\", \"text\": \"transformed\"}]}]";
  return thw_sink_answer(sink, THW_OK, other, THW_NUL);
}

static thw_status convert(void *context, const thw_str *call_id, const thw_str *input, thw_sink *sink, thw_cancel *cancel,
                          thw_error *error) {
  (void)context, (void)call_id, (void)cancel, (void)error;
  converted++;
  CHECK(has(*input, "\"text\":\"transformed\""));
  const char *other = "[{\"role\": \"user\", \"content\": [{\"type\": \"text\", \"text\": \"transformed and converted\"}]}]";
  return thw_sink_answer(sink, THW_OK, other, THW_NUL);
}

static thw_status broken(void *context, const thw_str *call_id, const thw_str *input, thw_sink *sink, thw_cancel *cancel,
                         thw_error *error) {
  (void)context, (void)call_id, (void)input, (void)cancel, (void)error;
  return thw_sink_answer(sink, THW_OK, "[{\"role\": \"nobody\"}]", THW_NUL);
}

static thw_status out_of_order(void *context, const thw_str *call_id, const thw_str *request, thw_sink *sink,
                               thw_cancel *cancel, thw_error *error) {
  (void)context, (void)call_id, (void)request, (void)cancel, (void)error;
  push(sink, THW_EVENT_TEXT, 0, 0, "half", "");
  return thw_sink_answer(sink, THW_E_REMOTE, "the machine is out of order", THW_NUL);
}

typedef thw_status invoke(void *, const thw_str *, const thw_str *, thw_sink *, thw_cancel *, thw_error *);

static int gone[16];

static thw_host_hook hook(uint32_t point, invoke *function, int number) {
  thw_host_hook made = { sizeof made, point, function, &gone[number], drop };
  return made;
}

static void wrong_ones(thw_engine *engine) {
  thw_error error = THW_ERROR_INIT;
  int before_these = dropped;
  thw_host_hook hooks[2] = { hook(THW_HOOK_CONVERT_MESSAGES, convert, 10), hook(77, convert, 11) };
  thw_host_provider provider = { sizeof provider, 0, str("a/b"), reply, &gone[12], drop };
  thw_callbacks callbacks = THW_CALLBACKS_INIT;
  callbacks.hooks_len = 2, callbacks.hooks = hooks;
  CHECK(thw_agent_new(engine, "{\"model\": \"own/one\"}", THW_NUL, &callbacks, &error) == NULL);
  CHECK(error.code == THW_E_INVALID && contains(error.message, "`point` of hook 1 is 77"));
  callbacks.hooks_len = 0, callbacks.providers_len = 1, callbacks.providers = &provider;
  CHECK(thw_agent_new(engine, "{\"model\": \"own/one\"}", THW_NUL, &callbacks, &error) == NULL);
  CHECK(error.code == THW_E_INVALID && contains(error.message, "a/b"));
  provider.name = str("own"), provider.invoke = NULL;
  CHECK(thw_agent_new(engine, "{\"model\": \"own/one\"}", THW_NUL, &callbacks, &error) == NULL);
  CHECK(error.code == THW_E_INVALID && contains(error.message, "`invoke` of provider own is NULL"));
  CHECK(dropped == before_these + 4);
}

// Of a failure of a provider, and of one of a hook, the run ends and says so.
static void failures(thw_engine *engine) {
  thw_error error = THW_ERROR_INIT;
  thw_host_provider provider = { sizeof provider, 0, str("own"), out_of_order, &gone[13], drop };
  thw_host_hook bad = hook(THW_HOOK_TRANSFORM_CONTEXT, broken, 14);
  for (uint32_t hooks = 0; hooks < 2; hooks++) {
    thw_callbacks callbacks = THW_CALLBACKS_INIT;
    callbacks.providers_len = 1, callbacks.providers = &provider;
    callbacks.hooks_len = hooks, callbacks.hooks = &bad;
    thw_agent *agent;
    thw_run *run;
    CHECK_OK(agent = thw_agent_new(engine, "{\"model\": \"own/one\"}", THW_NUL, &callbacks, &error));
    CHECK_OK(run = thw_agent_prompt(agent, "hi", THW_NUL, NULL, &error));
    thw_error why = THW_ERROR_INIT;
    CHECK(thw_run_wait(run, THW_FOREVER, &why) < 0);
    CHECK(contains(why.message, hooks ? "not those of a conversation" : "out of order"));
    thw_run_free(run), thw_agent_free(agent);
  }
}

int main(void) {
  thw_error error = THW_ERROR_INIT;
  thw_engine *engine;
  CHECK_OK(engine = thw_engine_new(NULL, 0, &error));
  thw_host_tool tools[2] = {
    { sizeof tools[0], THW_TOOL_PARALLEL, str("add"), str("Adds."), str("{\"type\":\"object\"}"), add, &gone[0], drop },
    { sizeof tools[0], THW_TOOL_PARALLEL, str("rm"), str("Removes."), str("{\"type\":\"object\"}"), rm, &gone[1], drop },
  };
  thw_host_hook hooks[4] = {
    hook(THW_HOOK_CONVERT_MESSAGES, convert, 2),
    hook(THW_HOOK_BEFORE_TOOL_CALL, before, 3),
    hook(THW_HOOK_AFTER_TOOL_CALL, after, 4),
    hook(THW_HOOK_TRANSFORM_CONTEXT, transform, 5),
  };
  thw_host_provider provider = { sizeof provider, 0, str("own"), reply, &gone[6], drop };
  thw_callbacks callbacks = THW_CALLBACKS_INIT;
  callbacks.tools_len = 2, callbacks.tools = tools;
  callbacks.hooks_len = 4, callbacks.hooks = hooks;
  callbacks.providers_len = 1, callbacks.providers = &provider;
  thw_agent *agent;
  CHECK_OK(agent = thw_agent_new(engine, "{\"model\": \"own/one\"}", THW_NUL, &callbacks, &error));
  memset(tools, 0xEE, sizeof tools), memset(hooks, 0xEE, sizeof hooks), memset(&provider, 0xEE, sizeof provider);
  thw_run *run;
  CHECK_OK(run = thw_agent_prompt(agent, "as it was said", THW_NUL, NULL, &error));
  CHECK_OK(thw_run_wait(run, THW_FOREVER, &error) == THW_OK);
  CHECK(pthread_join(thread, NULL) == 0);
  thw_str said;
  CHECK_OK(thw_run_text(run, &said, &error) == THW_OK);
  CHECK(equals(said, "It is done."));
  CHECK(ran == 1 && replies == 2 && transformed == 2 && converted == 2);
  // The conversation has what was said and what the model was told.
  char *conversation;
  CHECK_OK(conversation = thw_agent_conversation(agent, &error));
  CHECK(contains(conversation, "as it was said") && !contains(conversation, "transformed"));
  CHECK(contains(conversation, "\"changed\"") && contains(conversation, "\"too dangerous\""));
  thw_free(conversation);
  thw_run_free(run), thw_agent_free(agent);
  wrong_ones(engine);
  failures(engine);
  thw_engine_free(engine);
  CHECK(dropped == 7 + 4 + 3);
  for (int i = 0; i < 15; i++) CHECK(gone[i] || (i >= 7 && i <= 9));
  return 0;
}
