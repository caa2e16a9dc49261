// Sequences of a crew: flattened in order, replayed, filled on another thread, and all objects given back.
#include "check.h"

#include <poll.h>
#include <pthread.h>

static thw_error error = THW_ERROR_INIT;
static int alive;

// An object of the program: a text on the heap.
static void *object(const char *name) {
  char *copy = malloc(strlen(name) + 1);
  CHECK(copy != NULL);
  strcpy(copy, name);
  __sync_fetch_and_add(&alive, 1);
  return copy;
}

static void release(void *object) {
  free(object);
  __sync_fetch_and_sub(&alive, 1);
}

static thw_sequence *made(thw_crew *crew) {
  thw_sequence *sequence = thw_sequence_new(crew, NULL, NULL, NULL, &error);
  CHECK_OK(sequence != NULL);
  return sequence;
}

static void add(thw_sequence *sequence, const char *name) {
  CHECK_OK(thw_sequence_append(sequence, object(name), release, &error) == THW_OK);
}

// What a reader gives now: names, errors with a '!', a cancelled end with an 'X', the end with a '.'.
static text seen(thw_sequence_reader *reader) {
  text out = { .len = 0 };
  for (;;) {
    void *object = NULL;
    int32_t is_error = 0;
    thw_status status = thw_sequence_next(reader, &object, &is_error, &error);
    if (status == THW_PENDING) return out;
    if (status == THW_EOF) {
      put(&out, str("."));
      return out;
    }
    if (status == THW_E_CANCELLED) {
      put(&out, str("X"));
      continue;
    }
    CHECK_OK(status == THW_OK);
    if (is_error) put(&out, str("!"));
    put(&out, str(object));
  }
}

static int sees(thw_sequence_reader *reader, const char *what) {
  text out = seen(reader);
  return strcmp(out.bytes, what) == 0;
}

// Runs until nothing is left to be done; gives how often the reader `user` was named.
static int turns(thw_crew *crew, const void *user) {
  int named = 0;
  for (;;) {
    void *const *users = NULL;
    size_t count = 0;
    thw_status status = thw_crew_next(crew, &users, &count, &error);
    CHECK_OK(status >= 0);
    if (status == THW_PENDING) return named;
    for (size_t i = 0; i < count; i++) named += users[i] == user;
  }
}

static void nested(thw_crew *crew) {
  thw_sequence *outer = made(crew), *inner = made(crew), *late = made(crew);
  int me = 0;
  thw_sequence_reader *reader = thw_sequence_read(outer, &me, &error);
  CHECK_OK(reader != NULL);
  CHECK(sees(reader, ""));
  add(outer, "a");
  CHECK(thw_crew_is_ready(crew) && turns(crew, &me) == 1 && sees(reader, "a"));
  CHECK_OK(thw_sequence_append_all(outer, inner, 0, &error) == THW_OK);
  add(outer, "z");
  CHECK_OK(thw_sequence_append_all(outer, late, THW_OUT_OF_ORDER, &error) == THW_OK);
  CHECK(turns(crew, &me) == 0 && sees(reader, ""));
  add(late, "soon");
  add(inner, "b");
  CHECK_OK(thw_sequence_append_error(inner, object("bad"), release, &error) == THW_OK);
  add(inner, "c");
  // One wake for all of it.
  CHECK(turns(crew, &me) == 1);
  text so_far = seen(reader);
  CHECK(contains(so_far.bytes, "b!badc") && contains(so_far.bytes, "soon"));
  thw_sequence_free(inner);
  thw_sequence_free(late);
  CHECK_OK(thw_sequence_close(outer, &error) == THW_OK);
  turns(crew, &me);
  CHECK(sees(reader, "z."));
  CHECK(thw_sequence_append(outer, object("no"), release, &error) == THW_E_CLOSED);
  // Whoever comes late sees the same.
  thw_sequence_reader *second = thw_sequence_read(outer, NULL, &error);
  thw_sequence_free(outer);
  text all = seen(second);
  CHECK(all.bytes[0] == 'a' && contains(all.bytes, "b!badc") && contains(all.bytes, "z."));
  thw_sequence_reader_free(second);
  thw_sequence_reader_free(reader);
}

static void started(void *user) { ++*(int *)user; }
static void forgotten(void *user) { *(int *)user += 10; }

static void on_request(thw_crew *crew) {
  int starts = 0;
  thw_sequence *sequence = thw_sequence_new(crew, started, &starts, forgotten, &error);
  CHECK_OK(sequence != NULL && starts == 0);
  for (int i = 0; i < 2; i++) thw_sequence_reader_free(thw_sequence_read(sequence, NULL, &error));
  CHECK(starts == 11);
  thw_sequence_free(sequence);
  // Never read: only forgotten.
  starts = 0;
  thw_sequence_free(thw_sequence_new(crew, started, &starts, forgotten, &error));
  CHECK(starts == 10);
}

static void cancelled(thw_crew *crew) {
  thw_sequence *sequence = made(crew);
  thw_sequence_reader *reader = thw_sequence_read(sequence, NULL, &error);
  add(sequence, "a");
  thw_sequence_cancel(sequence);
  CHECK(sees(reader, "aX."));
  thw_sequence_reader_free(reader);
  thw_sequence_free(sequence);
}

static void *fill(void *sequence) {
  for (int i = 0; i < 100; i++) add(sequence, "x");
  CHECK_OK(thw_sequence_close(sequence, NULL) == THW_OK);
  return NULL;
}

static void other_thread(thw_crew *crew) {
#ifdef THW_FEATURE_FD
  thw_sequence *sequence = made(crew);
  int me = 0;
  thw_sequence_reader *reader = thw_sequence_read(sequence, &me, &error);
  struct pollfd wait = { .fd = thw_crew_fd(crew, &error), .events = POLLIN };
  CHECK_OK(wait.fd >= 0);
  CHECK(sees(reader, ""));
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, fill, sequence) == 0);
  text all = { .len = 0 };
  while (!contains(all.bytes, ".")) {
    CHECK(poll(&wait, 1, 10000) == 1);
    if (turns(crew, &me) == 0) continue;
    text more = seen(reader);
    put(&all, str(more.bytes));
  }
  CHECK(pthread_join(thread, NULL) == 0);
  CHECK(all.len == 101);
  thw_sequence_reader_free(reader);
  thw_sequence_free(sequence);
#else
  (void)crew;
#endif
}

int main(void) {
  thw_crew *crew = thw_crew_new(&error);
  CHECK_OK(crew != NULL);
  nested(crew);
  on_request(crew);
  cancelled(crew);
  other_thread(crew);
  turns(crew, NULL);
  // A reader that is freed is not named, whatever woke it.
  thw_sequence *sequence = made(crew);
  int me = 0;
  thw_sequence_reader *reader = thw_sequence_read(sequence, &me, &error);
  CHECK(sees(reader, ""));
  add(sequence, "a");
  thw_sequence_reader_free(reader);
  CHECK(turns(crew, &me) == 0);
  thw_crew_free(crew);
  thw_sequence_free(sequence);
  CHECK(alive == 0);
  CHECK(thw_sequence_append(NULL, object("lost"), release, &error) == THW_E_INVALID);
  CHECK(alive == 0);
  return 0;
}
