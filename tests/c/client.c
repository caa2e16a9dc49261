// Replies without an agent, of a server whose key a hook gives; and one that does not come in time.
#include "check.h"

static int asked = 0;

static thw_status key(void *context, const thw_str *call_id, const thw_str *input, thw_sink *sink, thw_cancel *cancel, thw_error *error) {
  (void)context, (void)call_id, (void)cancel, (void)error;
  CHECK(memchr(input->ptr, '{', input->len) != NULL);
  asked++;
  CHECK(thw_sink_answer(sink, THW_OK, "\"of the hook\"", THW_NUL) == THW_OK);
  return THW_OK;
}

int main(int argc, char **argv) {
  CHECK(argc > 2);
  thw_error error = THW_ERROR_INIT;
  thw_host_hook hook = { sizeof hook, THW_HOOK_API_KEY, key, NULL, NULL };
  thw_callbacks callbacks = THW_CALLBACKS_INIT;
  callbacks.hooks_len = 1, callbacks.hooks = &hook;
  thw_engine *engine;
  thw_client *client;
  CHECK_OK(engine = thw_engine_new(NULL, 0, &error));
  CHECK_OK(client = thw_client_new(engine, options(argv[1], ""), THW_NUL, &callbacks, &error));
  const char *messages = "[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"hi\"}]}]";
  char *reply;
  for (int i = 1; i <= 2; i++) {
    CHECK_OK(reply = thw_client_chat(client, messages, THW_NUL, 10000, &error));
    CHECK(strstr(reply, "\"role\":\"assistant\"") != NULL && asked == i);
    thw_free(reply);
  }
  CHECK(thw_client_chat(client, "[]", THW_NUL, 10000, &error) == NULL && error.code < 0);

  // As it comes: two at once, one of them drained, and the client freed before they end.
  thw_error failed = THW_ERROR_INIT;
  CHECK(thw_client_stream(client, "[]", THW_NUL, NULL, &failed) == NULL && failed.code == THW_E_INVALID);
  thw_error streaming = THW_ERROR_INIT;
  int tag = 0;
  thw_run_options drained = { sizeof drained, THW_RUN_DRAIN, &tag };
  thw_run *first = thw_client_stream(client, messages, THW_NUL, &drained, &streaming);
  thw_run *second = thw_client_stream(client, messages, THW_NUL, NULL, &streaming);
  CHECK(first != NULL && second != NULL);
  thw_client_free(client);
  CHECK(thw_run_wait(second, 10000, &streaming) == THW_OK && asked == 4);
  thw_str result;
  CHECK(thw_run_result(second, &result, &streaming) == THW_OK && contains(result.ptr, "\"reason\":\"complete\""));
  thw_status status = THW_OK;
  while (status != THW_EOF) {
    const thw_batch *batches;
    size_t count;
    CHECK(thw_engine_next(engine, 10000, &batches, &count, &streaming) == THW_OK && count == 1 && batches[0].user == &tag);
    status = batches[0].status;
  }
  thw_run_free(first), thw_run_free(second);

  thw_error late = THW_ERROR_INIT;
  thw_error other = THW_ERROR_INIT;
  CHECK((client = thw_client_new(engine, options(argv[2], ""), THW_NUL, NULL, &other)) != NULL);
  CHECK(thw_client_chat(client, messages, THW_NUL, 50, &late) == NULL && late.code == THW_E_TIMEOUT);

  // Two of them would not agree.
  thw_host_hook both[2] = { hook, hook };
  callbacks.hooks_len = 2, callbacks.hooks = both;
  thw_error twice = THW_ERROR_INIT;
  CHECK(thw_client_new(engine, options(argv[1], ""), THW_NUL, &callbacks, &twice) == NULL && twice.code == THW_E_INVALID);
  thw_client_free(client), thw_engine_free(engine);
  thw_client_free(NULL);
  return 0;
}
