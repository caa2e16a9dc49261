// A team in the place of a model: two members at one server, and their names at the text that they say.
#include "check.h"

int main(int argc, char **argv) {
  CHECK(argc > 1);
  thw_error error = THW_ERROR_INIT;
  thw_engine *engine;
  thw_agent *agent;
  thw_run *run;
  char team[2048];
  snprintf(team, sizeof team,
           "{\"team\": {\"kind\": \"pipeline\", \"members\": ["
           "{\"name\": \"draft\", \"model\": \"m\", \"base_url\": \"%s\"},"
           "{\"name\": \"polish\", \"model\": \"m\", \"base_url\": \"%s\", \"system\": \"Shorter.\"}]}}",
           argv[1], argv[1]);
  CHECK_OK(engine = thw_engine_new(NULL, 0, &error));
  CHECK_OK(agent = thw_agent_new(engine, team, THW_NUL, NULL, &error));
  CHECK_OK(run = thw_agent_prompt(agent, "go", 2, NULL, &error));
  CHECK_OK(thw_run_wait(run, THW_FOREVER, &error) == THW_OK);

  CHECK_OK(thw_run_drain(run, NULL, &error) == THW_OK);
  static text thought, answer;
  const thw_batch *batch;
  size_t count;
  for (int is_over = 0; !is_over;) {
    CHECK_OK(thw_engine_next(engine, 1000, &batch, &count, &error) == THW_OK);
    for (size_t i = 0; i < batch->count; i++) {
      const thw_event *event = &batch->events[i];
      if (event->kind != THW_EVENT_THINKING && event->kind != THW_EVENT_TEXT) continue;
      int is_answer = event->kind == THW_EVENT_TEXT;
      CHECK(equals(event->aux, is_answer ? "polish" : "draft"));
      put(is_answer ? &answer : &thought, event->text);
    }
    is_over = batch->status == THW_EOF;
  }
  CHECK(thought.len > 0 && strcmp(thought.bytes, answer.bytes) == 0);
  thw_str result;
  CHECK_OK(thw_run_result(run, &result, &error) == THW_OK);
  CHECK(contains(result.ptr, "\"provider\":\"team\""));
  thw_run_free(run), thw_agent_free(agent);

  // What is wrong is said, with the member that it is about.
  thw_error wrong = THW_ERROR_INIT;
  const char *slip = "{\"team\": {\"kind\": \"pipeline\", \"members\": [{\"name\": \"draft\", \"modle\": \"m\"}]}}";
  CHECK(thw_agent_new(engine, slip, THW_NUL, NULL, &wrong) == NULL && wrong.code == THW_E_INVALID);
  CHECK(contains(wrong.message, "draft") && contains(wrong.message, "modle"));
  wrong.code = 0;
  CHECK(thw_agent_new(engine, "{\"team\": {\"kind\": \"circus\"}}", THW_NUL, NULL, &wrong) == NULL && contains(wrong.message, "circus"));
  thw_engine_free(engine);
  return 0;
}
