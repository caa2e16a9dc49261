// All ways to read one run: borrowed batches, a late reader, copies in a small buffer, a file descriptor, a callback.
#include "check.h"
#include <poll.h>
#include <unistd.h>

static text expected;

static void read_borrowed(thw_run *run, text *out) {
  thw_error error = THW_ERROR_INIT;
  thw_reader *reader;
  CHECK_OK(reader = thw_run_reader(run, &error));
  const thw_event *events;
  size_t count;
  thw_status status;
  while ((status = thw_reader_next(reader, THW_FOREVER, &events, &count, &error)) == THW_OK)
    for (size_t i = 0; i < count; i++)
      if (events[i].kind == THW_EVENT_TEXT) put(out, events[i].text);
  CHECK(status == THW_EOF);
  CHECK(thw_reader_next(reader, 0, &events, &count, &error) == THW_EOF);
  thw_reader_free(reader);
}

// One that the run waits for.
static void read_held_back(thw_run *run, text *out) {
  thw_error error = THW_ERROR_INIT;
  thw_reader *reader;
  CHECK_OK(reader = thw_run_reader(run, &error));
  const thw_event *events;
  size_t count;
  CHECK_OK(thw_reader_next(reader, THW_FOREVER, &events, &count, &error) == THW_OK);
  thw_event first = events[0];
  CHECK_OK(thw_reader_hold_back(reader, &error) == THW_OK);
  // What was lent out stays as it is.
  CHECK(memcmp(&first, events, sizeof first) == 0 && first.kind == THW_EVENT_AGENT_START);
  thw_status status;
  do {
    for (size_t i = 0; i < count; i++)
      if (events[i].kind == THW_EVENT_TEXT) put(out, events[i].text);
  } while ((status = thw_reader_next(reader, THW_FOREVER, &events, &count, &error)) == THW_OK);
  CHECK(status == THW_EOF);
  thw_reader_free(reader);
}

static void read_copied(thw_run *run, text *out) {
  thw_error error = THW_ERROR_INIT;
  thw_reader *reader;
  CHECK_OK(reader = thw_run_reader(run, &error));
  size_t size = 8, written;
  char *buffer = malloc(size);
  uint64_t seq = 0;
  thw_status status;
  while ((status = thw_reader_read(reader, THW_FOREVER, buffer, size, &written, &error)) != THW_EOF) {
    if (status == THW_MORE) {
      CHECK(written > size && written % 8 == 0);
      CHECK((buffer = realloc(buffer, size = written)) != NULL);
      continue;
    }
    CHECK_OK(status == THW_OK);
    CHECK(written > 0 && written <= size);
    for (size_t at = 0; at < written;) {
      thw_record record;
      memcpy(&record, buffer + at, sizeof record);
      CHECK(record.seq == seq++ && record.record_len % 8 == 0);
      thw_str piece = { (const uint8_t *)buffer + at + sizeof record, record.text_len };
      if (record.kind == THW_EVENT_TEXT) put(out, piece);
      at += record.record_len;
      CHECK(at <= written);
    }
  }
  free(buffer), thw_reader_free(reader);
}

static void read_polled(thw_run *run, text *out) {
  thw_error error = THW_ERROR_INIT;
  thw_reader *reader;
  CHECK_OK(reader = thw_run_reader(run, &error));
  int fd;
  CHECK_OK((fd = thw_reader_fd(reader, &error)) >= 0);
  CHECK(thw_reader_fd(reader, &error) == fd);
  struct pollfd waiting = { fd, POLLIN, 0 };
  int wakes = 0;
  for (;;) {
    CHECK(poll(&waiting, 1, 20000) == 1 && (waiting.revents & POLLIN));
    wakes++;
    const thw_event *events;
    size_t count;
    thw_status status;
    while ((status = thw_reader_next(reader, 0, &events, &count, &error)) == THW_OK)
      for (size_t i = 0; i < count; i++)
        if (events[i].kind == THW_EVENT_TEXT) put(out, events[i].text);
    if (status == THW_EOF) break;
    CHECK(status == THW_PENDING);
    // Set back: it is not readable again until something comes.
  }
  CHECK(wakes > 0 && wakes < 1000);
  thw_reader_free(reader);
}

typedef struct told {
  text text;
  thw_run *run;
  int calls, ended, dropped;
} told;

static thw_status on_batch(void *user, const thw_event *events, size_t count, thw_status status) {
  told *out = user;
  CHECK(!out->ended && !out->dropped);
  out->calls++;
  if (status == THW_EOF) {
    CHECK(events == NULL && count == 0);
    out->ended = 1;
    return THW_OK;
  }
  CHECK(status == THW_OK && count > 0);
  for (size_t i = 0; i < count; i++)
    if (events[i].kind == THW_EVENT_TEXT) put(&out->text, events[i].text);
  return THW_OK;
}

static thw_status stop_at_once(void *user, const thw_event *events, size_t count, thw_status status) {
  told *out = user;
  (void)events, (void)count, (void)status;
  CHECK(out->calls++ == 0);
  // Waiting here would wait for this very thread.
  thw_error error = THW_ERROR_INIT;
  thw_status answer = thw_run_wait(out->run, THW_FOREVER, &error);
  CHECK(answer == THW_OK || (answer == THW_E_STATE && contains(error.message, "callback")));
  return THW_E_CANCELLED;
}

static void on_drop(void *user) { __atomic_fetch_add(&((told *)user)->dropped, 1, __ATOMIC_RELEASE); }

int main(int argc, char **argv) {
  CHECK(argc > 1);
  thw_error error = THW_ERROR_INIT;
  thw_engine *engine;
  thw_agent *agent;
  thw_run *run;
  CHECK_OK(engine = thw_engine_new(NULL, 0, &error));
  CHECK_OK(agent = thw_agent_new(engine, options(argv[1], ""), THW_NUL, NULL, &error));
  CHECK_OK(run = thw_agent_prompt(agent, "go", 2, NULL, &error));
  static told called, stopped;
  stopped.run = run;
  CHECK_OK(thw_run_on_batch(run, on_batch, &called, on_drop, &error) == THW_OK);
  CHECK_OK(thw_run_on_batch(run, stop_at_once, &stopped, on_drop, &error) == THW_OK);
  read_borrowed(run, &expected);
  CHECK(contains(expected.bytes, "w\xc3\xb6rld") && contains(expected.bytes, "quote \" and \n"));

  // Late, one after the other, each from the beginning.
  static text late, copied, polled, again;
  read_borrowed(run, &late);
  static text held_back;
  read_held_back(run, &held_back);
  CHECK(strcmp(held_back.bytes, expected.bytes) == 0);
  read_copied(run, &copied);
  read_polled(run, &polled);
  CHECK(strcmp(late.bytes, expected.bytes) == 0);
  CHECK(strcmp(copied.bytes, expected.bytes) == 0);
  CHECK(strcmp(polled.bytes, expected.bytes) == 0);

  // A reader outlives the handle of its run, which a callback above uses; a run that is under way may be polled.
  while (!__atomic_load_n(&stopped.dropped, __ATOMIC_ACQUIRE)) poll(NULL, 0, 1);
  thw_run_free(run);
  CHECK_OK(run = thw_agent_prompt(agent, "go", 2, NULL, &error));
  static text live;
  read_polled(run, &live);
  CHECK(strcmp(live.bytes, expected.bytes) == 0);
  thw_reader *reader;
  CHECK_OK(reader = thw_run_reader(run, &error));
  thw_run_free(run), thw_agent_free(agent), thw_engine_free(engine);
  const thw_event *events;
  size_t count;
  while (thw_reader_next(reader, 0, &events, &count, &error) == THW_OK)
    for (size_t i = 0; i < count; i++)
      if (events[i].kind == THW_EVENT_TEXT) put(&again, events[i].text);
  CHECK(strcmp(again.bytes, expected.bytes) == 0);
  thw_reader_free(reader);

  // No thread of the engine is left, so these stand.
  CHECK(called.ended && called.dropped == 1 && strcmp(called.text.bytes, expected.bytes) == 0);
  CHECK(stopped.calls == 1 && stopped.dropped == 1);
  return 0;
}
