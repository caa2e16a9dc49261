// A forked child is refused what belongs to its parent, hangs nowhere, and may make an engine of its own.
#include "check.h"
#include <sys/wait.h>
#include <unistd.h>

static void run_once(thw_engine *engine, const char *base_url) {
  thw_error error = THW_ERROR_INIT;
  thw_agent *agent;
  thw_run *run;
  CHECK_OK(agent = thw_agent_new(engine, options(base_url, ""), THW_NUL, NULL, &error));
  CHECK_OK(run = thw_agent_prompt(agent, "go", 2, NULL, &error));
  CHECK_OK(thw_run_wait(run, 20000, &error) == THW_OK);
  thw_run_free(run), thw_agent_free(agent);
}

int main(int argc, char **argv) {
  CHECK(argc > 1);
  thw_error error = THW_ERROR_INIT;
  thw_engine *engine;
  thw_agent *agent;
  thw_run *run;
  thw_reader *reader;
  thw_decoder *decoder;
  CHECK_OK(engine = thw_engine_new(NULL, 0, &error));
  CHECK_OK(agent = thw_agent_new(engine, options(argv[1], ""), THW_NUL, NULL, &error));
  CHECK_OK(run = thw_agent_prompt(agent, "go", 2, NULL, &error));
  CHECK_OK(reader = thw_run_reader(run, &error));
  CHECK_OK(decoder = thw_decoder_new("anthropic", THW_NUL, NULL, 0, &error));
  int told[2];
  CHECK(pipe(told) == 0);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    alarm(60); // A hang ends the child, and with it the test.
    const thw_event *events;
    const thw_batch *batches;
    size_t count;
    thw_str text;
    CHECK(thw_run_wait(run, THW_FOREVER, &error) == THW_E_STATE && contains(error.message, "forked"));
    CHECK(thw_run_abort(run) == THW_E_STATE);
    CHECK(thw_run_text(run, &text, &error) == THW_E_STATE);
    CHECK(thw_run_reader(run, &error) == NULL && error.code == THW_E_STATE);
    CHECK(thw_reader_next(reader, THW_FOREVER, &events, &count, &error) == THW_E_STATE);
    CHECK(thw_reader_fd(reader, &error) == -1 && error.code == THW_E_STATE);
    CHECK(thw_engine_next(engine, THW_FOREVER, &batches, &count, &error) == THW_E_STATE);
    CHECK(thw_agent_prompt(agent, "go", 2, NULL, &error) == NULL && error.code == THW_E_STATE);
    CHECK(thw_agent_new(engine, NULL, 0, NULL, &error) == NULL && error.code == THW_E_STATE);
    thw_reader_free(reader), thw_run_free(run), thw_agent_free(agent), thw_engine_free(engine);
    // A decoder has no thread, so it works on.
    CHECK_OK(thw_decoder_feed(decoder, (const uint8_t *)": hi\n", 5, &events, &count, &error) == THW_OK);
    thw_decoder_free(decoder);
    CHECK_OK(engine = thw_engine_new(NULL, 0, &error));
    run_once(engine, argv[1]);
    thw_engine_free(engine);
    CHECK(write(told[1], "done", 4) == 4);
    _exit(0);
  }
  // Not by its exit code: what a child cannot free, valgrind would count as lost.
  char word[4];
  close(told[1]);
  CHECK(read(told[0], word, 4) == 4 && waitpid(child, NULL, 0) == child);
  CHECK_OK(thw_run_wait(run, 20000, &error) == THW_OK);
  thw_decoder_free(decoder), thw_reader_free(reader), thw_run_free(run), thw_agent_free(agent);
  run_once(engine, argv[1]);
  thw_engine_free(engine);
  return 0;
}
