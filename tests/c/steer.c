// What is said to an agent beside its prompt comes in: steering in front of a reply, a follow-up before the end. Then the
// run, which is over, joins the drain.
#include "check.h"

// Number of times that `part` stands in `text`.
static int times(const char *text, const char *part) {
  int found = 0;
  for (const char *at = text; (at = strstr(at, part)) != NULL; at += strlen(part)) found++;
  return found;
}

int main(int argc, char **argv) {
  CHECK(argc > 1);
  thw_error error = THW_ERROR_INIT;
  thw_engine *engine;
  thw_agent *agent;
  thw_run *run;
  CHECK_OK(engine = thw_engine_new(NULL, 0, &error));
  CHECK_OK(agent = thw_agent_new(engine, options(argv[1], ""), THW_NUL, NULL, &error));
  CHECK_OK(thw_agent_follow_up(agent, "and then?", THW_NUL, &error) == THW_OK);
  CHECK_OK(thw_agent_steer(agent, "briefly!", 8, &error) == THW_OK);
  CHECK_OK(run = thw_agent_prompt(agent, "go", 2, NULL, &error));
  CHECK_OK(thw_run_wait(run, THW_FOREVER, &error) == THW_OK);
  thw_str json;
  CHECK_OK(thw_run_result(run, &json, &error) == THW_OK);
  const char *result = (const char *)json.ptr;
  const char *prompt = strstr(result, "\"go\""), *steered = strstr(result, "briefly!"), *then = strstr(result, "and then?");
  CHECK(prompt != NULL && steered != NULL && then != NULL);
  CHECK(prompt < steered && steered < strstr(steered, "assistant") && strstr(steered, "assistant") < then);
  CHECK(times(strstr(result, "\"messages\""), "\"role\":\"assistant\"") == 2);

  int tag;
  CHECK_OK(thw_run_drain(run, &tag, &error) == THW_OK);
  const thw_batch *batch;
  size_t count, turns = 0;
  for (int is_over = 0; !is_over;) {
    CHECK_OK(thw_engine_next(engine, 1000, &batch, &count, &error) == THW_OK);
    CHECK(count == 1 && batch->user == &tag);
    for (size_t i = 0; i < batch->count; i++) turns += batch->events[i].kind == THW_EVENT_TURN_START;
    is_over = batch->status == THW_EOF;
  }
  CHECK(turns == 2);

  // Content that is more than text.
  const char *pointed = "[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"this one\"},"
                        "{\"type\":\"image\",\"url\":\"https://example.org/a.png\"}]}]";
  CHECK_OK(thw_agent_steer_json(agent, pointed, THW_NUL, &error) == THW_OK);
  CHECK_OK(thw_agent_follow_up_json(agent, "[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"so?\"}]}]", THW_NUL, &error) == THW_OK);
  CHECK(thw_agent_is_running(agent) == 0);
  CHECK(thw_agent_abort(agent) == THW_OK); // of nothing
  thw_run *pointing;
  CHECK_OK(pointing = thw_agent_prompt(agent, "look", 4, NULL, &error));
  CHECK_OK(thw_run_wait(pointing, THW_FOREVER, &error) == THW_OK);
  char *conversation;
  CHECK_OK(conversation = thw_agent_conversation(agent, &error));
  CHECK(strstr(conversation, "this one") != NULL && strstr(conversation, "a.png") < strstr(conversation, "so?"));
  thw_free(conversation), thw_run_free(pointing);
  thw_error wrong = THW_ERROR_INIT;
  CHECK(thw_agent_steer_json(agent, "{}", 2, &wrong) == THW_E_INVALID && strstr((const char *)wrong.message, "messages") != NULL);

  CHECK(thw_agent_steer(NULL, "x", 1, &error) == THW_E_INVALID);
  CHECK(thw_agent_is_running(NULL) == 0 && thw_agent_abort(NULL) == THW_E_INVALID);
  CHECK(thw_run_drain(NULL, NULL, NULL) == THW_E_INVALID);
  thw_run_free(run), thw_agent_free(agent), thw_engine_free(engine);
  return 0;
}
