// A server that falls silent: the run is stopped from another thread, and what came is kept. A tool that waits is told.
#include "check.h"
#include <pthread.h>
#include <unistd.h>

static void *abort_soon(void *run) {
  usleep(30000);
  CHECK(thw_run_abort(run) == THW_OK);
  return NULL;
}

static void hang(const char *base_url) {
  thw_error error = THW_ERROR_INIT;
  thw_engine *engine;
  thw_agent *agent;
  thw_run *run;
  thw_reader *reader;
  CHECK_OK(engine = thw_engine_new(NULL, 0, &error));
  CHECK_OK(agent = thw_agent_new(engine, options(base_url, ""), THW_NUL, NULL, &error));
  CHECK_OK(run = thw_agent_prompt(agent, "go", 2, NULL, &error));
  CHECK_OK(reader = thw_run_reader(run, &error));
  const thw_event *events;
  size_t count;
  int has_text = 0;
  while (!has_text) {
    CHECK_OK(thw_reader_next(reader, THW_FOREVER, &events, &count, &error) == THW_OK);
    for (size_t i = 0; i < count; i++) has_text |= events[i].kind == THW_EVENT_TEXT;
  }
  CHECK(thw_run_wait(run, 0, &error) == THW_PENDING);
  CHECK(thw_run_wait(run, 5, &error) == THW_PENDING);
  CHECK(thw_reader_next(reader, 5, &events, &count, &error) == THW_PENDING);
  thw_str text;
  CHECK(thw_run_text(run, &text, &error) == THW_PENDING);

  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, abort_soon, run) == 0);
  int is_aborted = 0;
  thw_status status;
  while ((status = thw_reader_next(reader, THW_FOREVER, &events, &count, &error)) == THW_OK)
    for (size_t i = 0; i < count; i++)
      is_aborted |= events[i].kind == THW_EVENT_AGENT_END && equals(events[i].aux, "aborted");
  CHECK(status == THW_EOF && is_aborted);
  CHECK(pthread_join(thread, NULL) == 0);
  CHECK(thw_run_wait(run, THW_FOREVER, &error) == THW_E_CANCELLED && error.code == THW_E_CANCELLED);
  CHECK_OK(thw_run_text(run, &text, &error) == THW_OK);
  CHECK(equals(text, "Hel"));
  CHECK(thw_run_abort(run) == THW_OK); // Too late, and harmless.

  // The end of the engine ends what goes on, and a reader sees it.
  thw_run_free(run), thw_reader_free(reader);
  CHECK_OK(run = thw_agent_prompt(agent, "go", 2, NULL, &error));
  CHECK_OK(reader = thw_run_reader(run, &error));
  thw_engine_free(engine);
  while ((status = thw_reader_next(reader, THW_FOREVER, &events, &count, &error)) == THW_OK) {}
  CHECK(status == THW_EOF);
  CHECK(thw_run_wait(run, THW_FOREVER, &error) == THW_E_FAILED);
  thw_run_free(run), thw_reader_free(reader);
  CHECK(thw_agent_prompt(agent, "go", 2, NULL, &error) == NULL && error.code == THW_E_CLOSED);
  thw_agent_free(agent);
}

// ---- A tool that waits for its cancel ----

static thw_sink *volatile held;

static void *answer_late(void *sink) {
  CHECK(thw_sink_progress(sink, "late", 4, -1) <= THW_OK);
  CHECK(thw_sink_answer(sink, THW_E_CANCELLED, "stopped", 7) <= THW_OK);
  return NULL;
}

static pthread_t answering;
static volatile int is_told = 0, is_called = 0;

static void told(void *user) {
  (void)user;
  is_told = 1;
  CHECK(pthread_create(&answering, NULL, answer_late, held) == 0);
}

static thw_status wait_for_cancel(void *context, const thw_str *call_id, const thw_str *arguments, thw_sink *sink,
                                  thw_cancel *cancel, thw_error *error) {
  (void)context, (void)call_id, (void)arguments, (void)error;
  held = sink;
  CHECK(thw_cancel_on(cancel, told, NULL) != 0);
  is_called = 1;
  return THW_PENDING;
}

static void cancel_tool(const char *base_url) {
  thw_error error = THW_ERROR_INIT;
  thw_engine *engine;
  thw_agent *agent;
  thw_run *run;
  thw_reader *reader;
  CHECK_OK(engine = thw_engine_new("{\"threads\": 2}", THW_NUL, &error));
  thw_host_tool tool = { sizeof tool, 0, str("echo"), str(""), str("{}"), wait_for_cancel, NULL, NULL };
  thw_callbacks callbacks = THW_CALLBACKS_INIT;
  callbacks.tools_len = 1, callbacks.tools = &tool;
  CHECK_OK(agent = thw_agent_new(engine, options(base_url, ""), THW_NUL, &callbacks, &error));
  CHECK_OK(run = thw_agent_prompt(agent, "go", 2, NULL, &error));
  CHECK_OK(reader = thw_run_reader(run, &error));
  const thw_event *events;
  size_t count;
  for (int has_begun = 0; !has_begun;) {
    CHECK_OK(thw_reader_next(reader, THW_FOREVER, &events, &count, &error) == THW_OK);
    for (size_t i = 0; i < count; i++) has_begun |= events[i].kind == THW_EVENT_TOOL_EXECUTION_START;
  }
  while (!is_called) usleep(1000);
  CHECK(thw_run_abort(run) == THW_OK);
  CHECK(thw_run_wait(run, THW_FOREVER, &error) == THW_E_CANCELLED);
  CHECK(is_told);
  CHECK(pthread_join(answering, NULL) == 0);
  thw_reader_free(reader), thw_run_free(run), thw_agent_free(agent), thw_engine_free(engine);
}

int main(int argc, char **argv) {
  CHECK(argc > 2);
  hang(argv[1]);
  cancel_tool(argv[2]);
  return 0;
}
