// One conversation with a server, then with a provider of the program, then with the server again, also amid a run; and a hook that is
// told of each request.
#include "check.h"
#include <pthread.h>
#include <unistd.h>

static int gone[6], dropped = 0;
static thw_agent *agent;

static void drop(void *context) { *(int *)context = 1, dropped++; }

static int has(thw_str text, const char *part) {
  size_t len = strlen(part);
  for (size_t i = 0; i + len <= text.len; i++)
    if (memcmp(text.ptr + i, part, len) == 0) return 1;
  return 0;
}

static thw_status reply(void *context, const thw_str *call_id, const thw_str *request, thw_sink *sink, thw_cancel *cancel, thw_error *error) {
  (void)context, (void)call_id, (void)cancel, (void)error;
  thw_event events[2];
  memset(events, 0, sizeof events);
  int is_answered = has(*request, "tool_result");
  CHECK(has(*request, "what the server was asked") || is_answered);
  events[0].kind = THW_EVENT_TEXT, events[0].text = str(is_answered ? "switched" : "of my own");
  events[1].kind = THW_EVENT_STOP, events[1].block = 1, events[1].num = 1, events[1].text = str("stop");
  CHECK(thw_sink_push(sink, events, 2) >= THW_OK);
  CHECK(thw_sink_answer(sink, THW_OK, "", 0) == THW_OK);
  return THW_OK;
}

static pthread_mutex_t told_lock = PTHREAD_MUTEX_INITIALIZER;
static int told = 0;

static thw_status observe(void *context, const thw_str *call_id, const thw_str *record, thw_sink *sink, thw_cancel *cancel, thw_error *error) {
  (void)context, (void)call_id, (void)cancel, (void)error;
  CHECK(has(*record, "\"model\":\"small\"") && has(*record, "\"provider\":\"own\"") && has(*record, "\"failure\":null"));
  CHECK(has(*record, "of my own") && has(*record, "\"turn\":1") && has(*record, "\"duration_us\":"));
  pthread_mutex_lock(&told_lock);
  told++;
  pthread_mutex_unlock(&told_lock);
  CHECK(thw_sink_answer(sink, THW_OK, "", 0) == THW_OK);
  return THW_OK;
}

static int times_told(void) {
  pthread_mutex_lock(&told_lock);
  int times = told;
  pthread_mutex_unlock(&told_lock);
  return times;
}

static thw_host_provider own(int place) {
  thw_host_provider provider = { sizeof provider, 0, str("own"), reply, &gone[place], drop };
  return provider;
}

// Called amid the run by its server.
static thw_status change(void *context, const thw_str *call_id, const thw_str *arguments, thw_sink *sink, thw_cancel *cancel, thw_error *error) {
  (void)context, (void)call_id, (void)arguments, (void)cancel;
  thw_host_provider provider = own(3);
  thw_callbacks callbacks = THW_CALLBACKS_INIT;
  callbacks.providers_len = 1, callbacks.providers = &provider;
  CHECK(thw_agent_set_provider(agent, "{\"model\": \"own/small\"}", THW_NUL, &callbacks, error) == THW_OK);
  CHECK(thw_sink_answer(sink, THW_OK, "done", THW_NUL) == THW_OK);
  return THW_OK;
}

static const char *at(const char *url) {
  static char json[1024];
  snprintf(json, sizeof json, "{\"model\": \"m\", \"base_url\": \"%s\"}", url);
  return json;
}

static void says(const char *prompt, const char *part) {
  thw_error error = THW_ERROR_INIT;
  thw_run *run;
  thw_str text;
  CHECK_OK(run = thw_agent_prompt(agent, prompt, THW_NUL, NULL, &error));
  CHECK_OK(thw_run_wait(run, THW_FOREVER, &error) == THW_OK);
  CHECK_OK(thw_run_text(run, &text, &error) == THW_OK);
  if (!has(text, part)) fprintf(stderr, "%.*s\n", (int)text.len, (const char *)text.ptr);
  CHECK(has(text, part));
  thw_run_free(run);
}

static void refuses(const char *options, const thw_callbacks *callbacks, const char *why) {
  thw_error error = THW_ERROR_INIT;
  CHECK(thw_agent_set_provider(agent, options, THW_NUL, callbacks, &error) == THW_E_INVALID);
  if (!contains(error.message, why)) fprintf(stderr, "%s\n", (const char *)error.message);
  CHECK(contains(error.message, why));
}

int main(int argc, char **argv) {
  CHECK(argc > 2);
  thw_error error = THW_ERROR_INIT;
  thw_engine *engine;
  CHECK_OK(engine = thw_engine_new(NULL, 0, &error));
  CHECK_OK(agent = thw_agent_new(engine, options(argv[1], ""), THW_NUL, NULL, &error));
  says("what the server was asked", "Hello w");

  thw_host_provider provider = own(0);
  thw_host_hook hook = { sizeof hook, THW_HOOK_OBSERVE, observe, &gone[1], drop };
  thw_callbacks callbacks = THW_CALLBACKS_INIT;
  callbacks.providers_len = 1, callbacks.providers = &provider;
  callbacks.hooks_len = 1, callbacks.hooks = &hook;
  const char *mine = "{\"model\": \"own/small\", \"middleware\": [{\"observe\": {}}]}";
  CHECK_OK(thw_agent_set_provider(agent, mine, THW_NUL, &callbacks, &error) == THW_OK);
  says("and you?", "of my own");
  for (int i = 0; i < 500 && times_told() == 0; i++) usleep(10000);
  CHECK(times_told() == 1);

  // What cannot be is refused, with all that was handed over given back, and changes nothing.
  refuses("{\"model\": \"m\", \"max_turns\": 3}", NULL, "max_turns");
  refuses("{\"model\": \"nobody-knows/x\"}", NULL, "nobody-knows");
  refuses("{\"model\": \"own/small\", \"middleware\": [{\"observe\": {}}]}", NULL, "THW_HOOK_OBSERVE");
  thw_host_tool tool = { sizeof tool, 0, str("change"), str("Changes."), str("{\"type\":\"object\"}"), change, &gone[2], drop };
  thw_callbacks tools = THW_CALLBACKS_INIT;
  tools.tools_len = 1, tools.tools = &tool;
  refuses(at(argv[1]), &tools, "stay those of the agent");
  CHECK(gone[2] == 1);
  CHECK(thw_agent_set_provider(NULL, at(argv[1]), THW_NUL, NULL, NULL) == THW_E_INVALID);
  says("once more", "of my own");

  CHECK_OK(thw_agent_set_provider(agent, at(argv[1]), THW_NUL, NULL, &error) == THW_OK);
  says("back again", "Hello w");
  char *conversation;
  CHECK_OK(conversation = thw_agent_conversation(agent, &error));
  CHECK(contains(conversation, "of my own") && contains(conversation, "back again"));
  thw_free(conversation);

  // Amid a run: the server calls the tool, and the next turn is the program's.
  tool.context = &gone[4];
  CHECK_OK(thw_agent_set_tools(agent, &tools, &error) == THW_OK);
  CHECK_OK(thw_agent_set_provider(agent, at(argv[2]), THW_NUL, NULL, &error) == THW_OK);
  says("change it", "switched");
  thw_agent_free(agent), thw_engine_free(engine);
  CHECK(dropped == 5 && gone[0] && gone[1] && gone[3] && gone[4]);
  return 0;
}
