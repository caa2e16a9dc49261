// Every wrong use gives a status and a message that says what to do, and none crashes.
#include "check.h"

static thw_error error = THW_ERROR_INIT;

static void clear(void) {
  thw_error empty = THW_ERROR_INIT;
  error = empty;
}

#define FAILS(call, status, part) \
  do { \
    clear(); \
    CHECK((call) == (status)); \
    CHECK(error.code == (status)); \
    if (!contains(error.message, part)) fprintf(stderr, "%s\n", (char *)error.message); \
    CHECK(contains(error.message, part)); \
    CHECK(error.message_len == strlen((char *)error.message)); \
  } while (0)

#define GIVES_NULL(call, status, part) \
  do { \
    clear(); \
    CHECK((call) == NULL); \
    if (error.code != (status) || !contains(error.message, part)) fprintf(stderr, "%d %s\n", (int)error.code, (char *)error.message); \
    CHECK(error.code == (status)); \
    CHECK(contains(error.message, part)); \
  } while (0)

static int dropped = 0;
static void drop(void *context) { (void)context, dropped++; }

static thw_status invoke(void *context, const thw_str *call_id, const thw_str *arguments, thw_sink *sink,
                         thw_cancel *cancel, thw_error *failure) {
  (void)context, (void)call_id, (void)arguments, (void)sink, (void)cancel, (void)failure;
  return THW_E_FAILED;
}

static void wrong_tools(thw_engine *engine) {
  const char *json = options("http://127.0.0.1:9", "");
  thw_host_tool good = { sizeof good, 0, str("good"), str(""), str("{\"type\":\"object\"}"), invoke, NULL, drop };
  thw_host_tool bad[5];
  for (int i = 0; i < 5; i++) bad[i] = good;
  bad[0].name = str("no good name");
  bad[1].invoke = NULL;
  bad[2].parameters = str("[]");
  bad[3].name = str("\xff");
  bad[4].struct_size = 8;
  const char *messages[] = { "no good name", "`invoke` of tool good is NULL", "`parameters` of tool good", "not UTF-8", "sizeof(thw_host_tool)" };
  for (int i = 0; i < 5; i++) {
    thw_callbacks callbacks = THW_CALLBACKS_INIT;
    callbacks.tools_len = 1, callbacks.tools = &bad[i];
    GIVES_NULL(thw_agent_new(engine, json, THW_NUL, &callbacks, &error), THW_E_INVALID, messages[i]);
  }
  CHECK(dropped == 4); // The fifth could not be read.
  thw_host_tool twice[2] = { good, good };
  thw_callbacks callbacks = THW_CALLBACKS_INIT;
  callbacks.tools_len = 2, callbacks.tools = twice;
  GIVES_NULL(thw_agent_new(engine, json, THW_NUL, &callbacks, &error), THW_E_INVALID, "two tools are named");
  CHECK(dropped == 6);
  callbacks.struct_size = 4;
  GIVES_NULL(thw_agent_new(engine, json, THW_NUL, &callbacks, &error), THW_E_INVALID, "sizeof(thw_callbacks)");
  callbacks.struct_size = sizeof callbacks, callbacks.tools = NULL;
  GIVES_NULL(thw_agent_new(engine, json, THW_NUL, &callbacks, &error), THW_E_INVALID, "`callbacks.tools` is NULL");
}

int main(int argc, char **argv) {
  CHECK(argc > 1);
  const thw_event *events;
  const thw_batch *batches;
  size_t count;
  thw_str out;

  // Versions.
  CHECK(thw_version_number() == THW_VERSION_NUMBER);
  CHECK(strcmp(thw_version(), THW_VERSION) == 0);

  // NULL everywhere.
  thw_engine_free(NULL), thw_agent_free(NULL), thw_run_free(NULL), thw_reader_free(NULL), thw_decoder_free(NULL);
  GIVES_NULL(thw_agent_new(NULL, NULL, 0, NULL, &error), THW_E_INVALID, "the engine is NULL");
  GIVES_NULL(thw_agent_prompt(NULL, NULL, 0, NULL, &error), THW_E_INVALID, "the agent is NULL");
  GIVES_NULL(thw_run_reader(NULL, &error), THW_E_INVALID, "the run is NULL");
  GIVES_NULL(thw_agent_conversation(NULL, &error), THW_E_INVALID, "the agent is NULL");
  FAILS(thw_agent_set_conversation(NULL, NULL, 0, &error), THW_E_INVALID, "the agent is NULL");
  FAILS(thw_run_wait(NULL, 0, &error), THW_E_INVALID, "the run is NULL");
  FAILS(thw_run_text(NULL, &out, &error), THW_E_INVALID, "the run is NULL");
  FAILS(thw_run_result(NULL, &out, &error), THW_E_INVALID, "the run is NULL");
  FAILS(thw_run_on_batch(NULL, NULL, NULL, NULL, &error), THW_E_INVALID, "the run is NULL");
  FAILS(thw_reader_next(NULL, 0, &events, &count, &error), THW_E_INVALID, "the reader is NULL");
  FAILS(thw_reader_read(NULL, 0, NULL, 0, &count, &error), THW_E_INVALID, "the reader is NULL");
  FAILS(thw_engine_next(NULL, 0, &batches, &count, &error), THW_E_INVALID, "the engine is NULL");
  FAILS(thw_engine_load_plugin(NULL, NULL, 0, &error), THW_E_INVALID, "the engine is NULL");
  FAILS(thw_decoder_feed(NULL, NULL, 0, &events, &count, &error), THW_E_INVALID, "the decoder is NULL");
  FAILS(thw_decoder_finish(NULL, &events, &count, &error), THW_E_INVALID, "the decoder is NULL");
  FAILS(thw_decoder_body(NULL, 500, NULL, 0, &events, &count, &error), THW_E_INVALID, "the decoder is NULL");
  CHECK(thw_decoder_reset(NULL) == THW_E_INVALID);
  CHECK(thw_run_abort(NULL) == THW_E_INVALID);
  CHECK(thw_engine_fd(NULL, &error) == -1 && thw_reader_fd(NULL, &error) == -1);
  CHECK(thw_sink_answer(NULL, THW_OK, NULL, 0) == THW_E_CLOSED);
  CHECK(thw_sink_progress(NULL, NULL, 0, -1) == THW_E_CLOSED);
  CHECK(thw_cancel_is_set(NULL) == 1 && thw_cancel_on(NULL, NULL, NULL) == 0);
  thw_cancel_off(NULL, 1);
  CHECK(thw_run_wait(NULL, 0, NULL) == THW_E_INVALID);

  // Options.
  GIVES_NULL(thw_engine_new("{\"thread\": 1}", THW_NUL, &error), THW_E_INVALID, "unknown field `thread`");
  GIVES_NULL(thw_engine_new("{\"threads\": 0}", THW_NUL, &error), THW_E_INVALID, "`threads` is 0");
  GIVES_NULL(thw_engine_new("{", THW_NUL, &error), THW_E_INVALID, "EOF");
  GIVES_NULL(thw_engine_new("\xff", 1, &error), THW_E_INVALID, "`options` is not UTF-8 from byte 0 on");
  GIVES_NULL(thw_engine_new(NULL, 5, &error), THW_E_INVALID, "`options` is NULL");
  GIVES_NULL(thw_engine_new("{\"proxy\": \"gopher://x\"}", THW_NUL, &error), THW_E_INVALID, "proxy");
  thw_engine *engine;
  CHECK_OK(engine = thw_engine_new("{\"threads\": 1, \"idle_timeout_ms\": 0, \"proxy\": \"\"}", THW_NUL, &error));
  GIVES_NULL(thw_agent_new(engine, "{\"modle\": \"m\"}", THW_NUL, NULL, &error), THW_E_INVALID, "unknown field `modle`");
  GIVES_NULL(thw_agent_new(engine, NULL, 0, NULL, &error), THW_E_INVALID, "no model");
  GIVES_NULL(thw_agent_new(engine, "{\"model\": \"nobody/m\"}", THW_NUL, NULL, &error), THW_E_INVALID, "nobody");
  GIVES_NULL(thw_agent_new(engine, "{\"model\":\"m\",\"base_url\":\"http://x\",\"dialect\":\"klingon\"}", THW_NUL, NULL, &error),
             THW_E_INVALID, "klingon");
  GIVES_NULL(thw_agent_new(engine, "{\"model\":\"m\",\"base_url\":\"http://x\",\"tools\":[\"hammer\"]}", THW_NUL, NULL, &error),
             THW_E_INVALID, "hammer");
  wrong_tools(engine);

  // The first error of a chain stays.
  clear();
  CHECK(thw_run_reader(thw_agent_prompt(thw_agent_new(engine, "{", 1, NULL, &error), "", 0, NULL, &error), &error) == NULL);
  CHECK(contains(error.message, "`options`"));
  // A record of zeros counts as one of version 1; one that is too short is left alone.
  memset(&error, 0, sizeof error);
  CHECK(thw_agent_new(engine, "{", 1, NULL, &error) == NULL && error.code == THW_E_INVALID && error.struct_size == sizeof error);
  memset(&error, 0, sizeof error), error.struct_size = 16;
  CHECK(thw_agent_new(engine, "{", 1, NULL, &error) == NULL && error.code == 0);

  // Prompts.
  thw_agent *agent;
  clear();
  CHECK_OK(agent = thw_agent_new(engine, options(argv[1], ""), THW_NUL, NULL, &error));
  GIVES_NULL(thw_agent_prompt_json(agent, "[{\"role\":\"user\",\"content\":[]}]", THW_NUL, NULL, &error), THW_E_INVALID,
             "message 0 of the prompt");
  GIVES_NULL(thw_agent_prompt_json(agent, "[]", 2, NULL, &error), THW_E_INVALID, "nothing to answer");
  GIVES_NULL(thw_agent_prompt_json(agent, "{}", 2, NULL, &error), THW_E_INVALID, "`messages`");
  thw_run_options run_options = { 4, 0, NULL };
  GIVES_NULL(thw_agent_prompt(agent, "go", 2, &run_options, &error), THW_E_INVALID, "sizeof(thw_run_options)");
  run_options.struct_size = sizeof run_options, run_options.flags = 0x80;
  GIVES_NULL(thw_agent_prompt(agent, "go", 2, &run_options, &error), THW_E_INVALID, "0x80");

  // A handle of another sort.
  GIVES_NULL(thw_agent_prompt((thw_agent *)engine, "go", 2, NULL, &error), THW_E_INVALID, "this is no agent");
  thw_run_free((thw_run *)agent);

  // The provider says no: status, and when to try again.
  thw_run *run;
  clear();
  CHECK_OK(run = thw_agent_prompt_json(agent, "[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"go\"}]}]", THW_NUL, NULL, &error));
  FAILS(thw_run_wait(run, THW_FOREVER, &error), THW_E_REMOTE, "slow down");
  CHECK(error.http_status == 429);
  CHECK(error.flags & THW_ERROR_RETRYABLE);
  CHECK_OK(thw_run_result(run, &out, &error) == THW_OK);
  CHECK(contains(out.ptr, "\"kind\":\"rate_limit\""));
  FAILS(thw_run_text(run, NULL, &error), THW_E_INVALID, "`text` is NULL");
  thw_reader *reader = thw_run_reader(run, &error);
  FAILS(thw_reader_next(reader, 0, NULL, &count, &error), THW_E_INVALID, "`events` is NULL");
  FAILS(thw_reader_read(reader, 0, NULL, 64, &count, &error), THW_E_INVALID, "`buffer` is NULL");
  thw_reader_free(reader);
  thw_run_free(run);

  // Nobody listens.
  thw_agent *lost;
  clear();
  CHECK_OK(lost = thw_agent_new(engine, options("http://127.0.0.1:9", ""), THW_NUL, NULL, &error));
  CHECK_OK(run = thw_agent_prompt(lost, "go", 2, NULL, &error));
  FAILS(thw_run_wait(run, THW_FOREVER, &error), THW_E_CLOSED, "127.0.0.1");
  thw_run_free(run), thw_agent_free(lost);

  // Plugins.
  FAILS(thw_engine_load_plugin(engine, "plugin.so", THW_NUL, &error), THW_E_REJECTED, "absolute");
  FAILS(thw_engine_load_plugin(engine, "/nowhere/plugin.so", THW_NUL, &error), THW_E_REJECTED, "/nowhere/plugin.so");

  // The decoder.
  thw_decoder *decoder;
  GIVES_NULL(thw_decoder_new("klingon", THW_NUL, NULL, 0, &error), THW_E_UNSUPPORTED, "openai-chat");
  GIVES_NULL(thw_decoder_new("anthropic", THW_NUL, "{\"x\":1}", THW_NUL, &error), THW_E_INVALID, "unknown field `x`");
  clear();
  CHECK_OK(decoder = thw_decoder_new("openai-chat", THW_NUL, "{\"event_bytes_max\": 64}", THW_NUL, &error));
  FAILS(thw_decoder_feed(decoder, NULL, 3, &events, &count, &error), THW_E_INVALID, "`bytes` is NULL");
  FAILS(thw_decoder_feed(decoder, (const uint8_t *)"x", 1, NULL, &count, &error), THW_E_INVALID, "`events` is NULL");
  char long_event[200] = "data: ";
  memset(long_event + 6, 'x', sizeof long_event - 6);
  FAILS(thw_decoder_feed(decoder, (const uint8_t *)long_event, sizeof long_event, &events, &count, &error), THW_E_PROTOCOL, "64");
  thw_decoder_free(decoder);

  thw_agent_free(agent), thw_engine_free(engine);
  return 0;
}
