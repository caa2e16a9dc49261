// Two tools, one that answers at once and one that answers later from another thread; then the conversation goes on in a
// second agent.
#include "check.h"
#include <pthread.h>

static int dropped = 0;

static void drop(void *context) { *(int *)context = 1, dropped++; }

static thw_status weather(void *context, const thw_str *call_id, const thw_str *arguments, thw_sink *sink,
                          thw_cancel *cancel, thw_error *error) {
  (void)context, (void)error;
  CHECK(call_id->len > 0);
  CHECK(equals(*arguments, "{\"city\":\"Paris\"}"));
  CHECK(!thw_cancel_is_set(cancel));
  const char *answer = "{\"city\":\"Paris\",\"temperature\":18,\"unit\":\"C\"}";
  CHECK(thw_sink_answer(sink, THW_OK, answer, THW_NUL) == THW_OK);
  CHECK(thw_sink_answer(sink, THW_OK, answer, THW_NUL) == THW_E_CLOSED);
  return THW_OK;
}

static pthread_t thread;

static void *calculate_later(void *sink) {
  CHECK(thw_sink_progress(sink, "half way", 8, 500) == THW_OK);
  CHECK(thw_sink_answer(sink, THW_OK, "391", 3) == THW_OK);
  return NULL;
}

static void never(void *user) { CHECK(user != NULL && "not cancelled"); }

static thw_status calculate(void *context, const thw_str *call_id, const thw_str *arguments, thw_sink *sink,
                            thw_cancel *cancel, thw_error *error) {
  (void)context, (void)call_id, (void)error;
  CHECK(contains(arguments->ptr, "17 * 23"));
  uint64_t registration = thw_cancel_on(cancel, never, NULL);
  CHECK(registration != 0);
  thw_cancel_off(cancel, registration);
  CHECK(pthread_create(&thread, NULL, calculate_later, sink) == 0);
  return THW_PENDING;
}

static thw_status refuse(void *context, const thw_str *call_id, const thw_str *arguments, thw_sink *sink,
                         thw_cancel *cancel, thw_error *error) {
  (void)context, (void)call_id, (void)arguments, (void)sink, (void)cancel, (void)error;
  CHECK(!"nobody calls it");
  return THW_E_FAILED;
}

int main(int argc, char **argv) {
  CHECK(argc > 1);
  thw_error error = THW_ERROR_INIT;
  thw_engine *engine;
  CHECK_OK(engine = thw_engine_new(NULL, 0, &error));
  static int gone[3];
  thw_host_tool tools[3];
  memset(tools, 0, sizeof tools);
  for (int i = 0; i < 3; i++) {
    tools[i].struct_size = sizeof tools[i];
    tools[i].flags = THW_TOOL_PARALLEL;
    tools[i].description = str("Does what its name says.");
    tools[i].parameters = str("{\"type\":\"object\"}");
    tools[i].context = &gone[i];
    tools[i].drop = drop;
  }
  tools[0].name = str("get_weather"), tools[0].invoke = weather;
  tools[1].name = str("calculate"), tools[1].invoke = calculate;
  tools[2].name = str("never_called"), tools[2].invoke = refuse;
  thw_callbacks callbacks = THW_CALLBACKS_INIT;
  callbacks.tools_len = 3, callbacks.tools = tools;
  thw_agent *agent;
  CHECK_OK(agent = thw_agent_new(engine, options(argv[1], ""), THW_NUL, &callbacks, &error));
  memset(tools, 0xEE, sizeof tools); // They were only borrowed.

  const char *prompt = "What is the weather in Paris, and what is 17 * 23?";
  thw_run *run;
  CHECK_OK(run = thw_agent_prompt(agent, prompt, strlen(prompt), NULL, &error));
  CHECK(thw_agent_prompt(agent, prompt, strlen(prompt), NULL, &error) == NULL && error.code == THW_E_STATE);
  thw_reader *reader;
  CHECK_OK(reader = thw_run_reader(run, &error));
  const thw_event *events;
  size_t count;
  int starts = 0, ends = 0, updates = 0, turns = 0, agent_end = 0;
  uint64_t seq = 0;
  static text said;
  thw_status status;
  while ((status = thw_reader_next(reader, THW_FOREVER, &events, &count, &error)) == THW_OK) {
    CHECK(count > 0);
    for (size_t i = 0; i < count; i++) {
      CHECK(events[i].seq == seq++);
      CHECK(!agent_end);
      starts += events[i].kind == THW_EVENT_TOOL_EXECUTION_START;
      ends += events[i].kind == THW_EVENT_TOOL_EXECUTION_END && events[i].num == 0;
      turns += events[i].kind == THW_EVENT_TURN_START;
      agent_end += events[i].kind == THW_EVENT_AGENT_END;
      if (events[i].kind == THW_EVENT_TOOL_EXECUTION_UPDATE) {
        updates++;
        CHECK(events[i].num == 500 && contains(events[i].text.ptr, "half way"));
      }
      if (events[i].kind == THW_EVENT_TEXT) put(&said, events[i].text);
    }
  }
  CHECK(status == THW_EOF);
  CHECK(starts == 2 && ends == 2 && updates == 1 && turns == 2 && agent_end == 1);
  CHECK(contains(said.bytes, "391"));
  CHECK(pthread_join(thread, NULL) == 0);
  thw_error fresh = THW_ERROR_INIT;
  CHECK(thw_run_wait(run, 0, &fresh) == THW_OK && fresh.code == THW_OK);

  thw_str last, again, result;
  CHECK_OK(thw_run_text(run, &last, &error) == THW_OK);
  CHECK(contains(last.ptr, "391") && last.ptr[last.len] == 0);
  CHECK_OK(thw_run_text(run, &again, &error) == THW_OK);
  CHECK(again.ptr == last.ptr);
  CHECK_OK(thw_run_result(run, &result, &error) == THW_OK);
  CHECK(contains(result.ptr, "\"schema\":1") && contains(result.ptr, "\"error\":null") &&
        contains(result.ptr, "\"input_tokens\""));

  // The conversation in another agent, and back out of it.
  char *conversation, *copy;
  CHECK_OK(conversation = thw_agent_conversation(agent, &error));
  CHECK(contains(conversation, "\"schema\":1") && contains(conversation, "get_weather"));
  thw_agent *other;
  CHECK_OK(other = thw_agent_new(engine, options(argv[1], ""), THW_NUL, NULL, &error));
  CHECK_OK(thw_agent_set_conversation(other, conversation, THW_NUL, &error) == THW_OK);
  CHECK_OK(copy = thw_agent_conversation(other, &error));
  CHECK(strcmp(conversation, copy) == 0);
  thw_free(conversation), thw_free(copy), thw_free(NULL);
  const char *newer = "{\"schema\": 2, \"messages\": []}";
  CHECK(thw_agent_set_conversation(other, newer, THW_NUL, &error) == THW_E_VERSION);
  CHECK(contains(error.message, "schema 2"));

  // Any order will do.
  thw_agent_free(agent);
  CHECK(dropped == 3 && gone[0] && gone[1] && gone[2]);
  thw_engine_free(engine);
  thw_agent_free(other);
  CHECK_OK(thw_run_text(run, &again, &error) == THW_OK);
  thw_run_free(run);
  thw_reader_free(reader);
  return 0;
}
