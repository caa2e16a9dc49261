// A thousand runs at once, one consumer: batches of all of them with the tag of each, by timeout and by descriptor.
#include "check.h"
#include <poll.h>

#define RUNS_MAX 1000

typedef struct chat {
  thw_agent *agent;
  thw_run *run;
  text *said;
  uint64_t seq;
  int is_over;
} chat;

static chat chats[RUNS_MAX];

static void start(thw_engine *engine, chat *one, const char *json) {
  thw_error error = THW_ERROR_INIT;
  thw_run_options tagged = { sizeof tagged, THW_RUN_DRAIN, one };
  if (one->agent == NULL) CHECK_OK(one->agent = thw_agent_new(engine, json, THW_NUL, NULL, &error));
  CHECK_OK(one->run = thw_agent_prompt(one->agent, "go", 2, &tagged, &error));
  CHECK((one->said = calloc(1, sizeof *one->said)) != NULL);
  one->seq = 0, one->is_over = 0;
}

int main(int argc, char **argv) {
  CHECK(argc > 2);
  int runs = atoi(argv[2]);
  CHECK(runs > 0 && runs <= RUNS_MAX);
  thw_error error = THW_ERROR_INIT;
  thw_engine *engine;
  CHECK_OK(engine = thw_engine_new(NULL, 0, &error));
  const thw_batch *batches;
  size_t count;
  CHECK(thw_engine_next(engine, 0, &batches, &count, &error) == THW_PENDING);
  CHECK(thw_engine_next(engine, 5, &batches, &count, &error) == THW_PENDING);
  const char *json = options(argv[1], "");
  for (int round = 0; round < 2; round++) {
    for (int i = 0; i < runs; i++) start(engine, &chats[i], json);
    int over = 0;
    struct pollfd waiting = { -1, POLLIN, 0 };
    if (round == 1) CHECK_OK((waiting.fd = thw_engine_fd(engine, &error)) >= 0);
    while (over < runs) {
      if (round == 1) CHECK(poll(&waiting, 1, 20000) == 1);
      thw_status status;
      while ((status = thw_engine_next(engine, round == 1 ? 0 : 20000, &batches, &count, &error)) == THW_OK) {
        CHECK(count > 0);
        for (size_t b = 0; b < count; b++) {
          chat *one = batches[b].user;
          CHECK(one >= chats && one < chats + runs && !one->is_over);
          for (size_t i = 0; i < batches[b].count; i++) {
            const thw_event *event = &batches[b].events[i];
            CHECK(event->seq == one->seq++);
            if (event->kind == THW_EVENT_TEXT) put(one->said, event->text);
          }
          if (batches[b].status == THW_EOF) one->is_over = 1, over++;
          else CHECK(batches[b].status == THW_OK && batches[b].count > 0);
        }
        if (over == runs) break;
      }
      CHECK(status == THW_OK || (round == 1 && status == THW_PENDING));
    }
    for (int i = 0; i < runs; i++) {
      CHECK(thw_run_wait(chats[i].run, 0, &error) == THW_OK);
      CHECK(contains(chats[i].said->bytes, "Hel") && strcmp(chats[i].said->bytes, chats[0].said->bytes) == 0);
    }
    for (int i = 0; i < runs; i++) {
      thw_run_free(chats[i].run);
      if (i > 0) free(chats[i].said);
    }
    free(chats[0].said);
    CHECK(thw_engine_next(engine, 0, &batches, &count, &error) == THW_PENDING);
    if (round == 1) CHECK(poll(&waiting, 1, 0) == 0);
  }
  for (int i = 0; i < runs; i++) thw_agent_free(chats[i].agent);
  thw_engine_free(engine);
  return 0;
}
