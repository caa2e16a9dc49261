// A conversation that is kept: by one agent, gone on with by another, searched, branched, exported; and budgets, costs, limits.
#include "check.h"

static thw_engine *engine;

static char *ask(thw_store *store, const char *request) {
  thw_error error = THW_ERROR_INIT;
  char *answer;
  CHECK_OK(answer = thw_store_ask(store, request, THW_NUL, &error));
  return answer;
}

static void answers(thw_store *store, const char *request, const char *part) {
  char *answer = ask(store, request);
  if (!contains(answer, part)) fprintf(stderr, "%s: %s\n", request, answer);
  CHECK(contains(answer, part));
  thw_free(answer);
}

static void refuses(thw_store *store, const char *request, int code, const char *why) {
  thw_error error = THW_ERROR_INIT;
  CHECK(thw_store_ask(store, request, THW_NUL, &error) == NULL);
  CHECK(error.code == code && contains(error.message, why));
}

static void say(thw_agent *agent, const char *what) {
  thw_error error = THW_ERROR_INIT;
  thw_run *run;
  CHECK_OK(run = thw_agent_prompt(agent, what, THW_NUL, NULL, &error));
  CHECK_OK(thw_run_wait(run, THW_FOREVER, &error) == THW_OK);
  thw_run_free(run);
}

static void keep(const char *url) {
  thw_error error = THW_ERROR_INIT;
  thw_store *store;
  thw_agent *agent, *other;
  char *told;
  CHECK_OK(store = thw_store_open(":memory:", THW_NUL, &error));
  CHECK_OK(agent = thw_agent_new(engine, options(url, ""), THW_NUL, NULL, &error));
  CHECK_OK(told = thw_agent_session(agent, &error));
  CHECK(strcmp(told, "null") == 0);
  thw_free(told);
  CHECK_OK(told = thw_agent_keep(agent, store, "{\"title\": \"T\"}", THW_NUL, &error));
  CHECK(contains(told, "\"head\":null"));
  thw_free(told);
  say(agent, "first"), say(agent, "second");
  answers(store, "{\"read\": {\"session\": \"last\"}}", "\"head\":4");
  answers(store, "{\"search\": {\"words\": \"secon*\"}}", "\"message\":3");

  CHECK_OK(other = thw_agent_new(engine, options(url, ""), THW_NUL, NULL, &error));
  CHECK_OK(told = thw_agent_keep(other, store, "{\"session\": \"last\", \"at\": 2}", THW_NUL, &error));
  thw_free(told);
  say(other, "third");
  answers(store, "{\"read\": {\"session\": \"last\"}}", "\"leaves\":[4,6]");
  CHECK_OK(thw_agent_reset(other, &error) == THW_OK);
  answers(store, "{\"read\": {\"session\": \"last\"}}", "\"messages\":[]");
  CHECK_OK(thw_agent_wait(agent, THW_FOREVER, &error) == THW_OK);
  CHECK_OK(told = thw_agent_session(agent, &error));
  CHECK(contains(told, "\"error\":null") && contains(told, "\"head\":4"));
  thw_free(told);

  char *text = ask(store, "{\"export\": {\"session\": \"last\", \"format\": \"markdown\"}}");
  CHECK(contains(text, "## User") && contains(text, "third"));
  thw_free(text);
  answers(store, "{\"sessions\": {}}", "\"branches\":2");
  answers(store, "{\"import\": {\"text\": \"# user\\nhi\\n\"}}", "\"sessions\":[");
  answers(store, "{\"delete\": {\"session\": \"last\"}}", "session");
  refuses(store, "{\"read\": {\"session\": \"nobody\"}}", THW_E_INVALID, "there is no session nobody");
  refuses(store, "{\"read\": {\"sesion\": \"last\"}}", THW_E_INVALID, "sesion");
  refuses(store, "{\"dance\": {}}", THW_E_INVALID, "dance");
  refuses(store, "", THW_E_INVALID, "`request`");
  // The agents hold the file on.
  thw_store_free(store), thw_store_free(NULL);
  say(agent, "fourth");
  thw_agent_free(agent), thw_agent_free(other);

  thw_error wrong = THW_ERROR_INIT;
  CHECK(thw_store_open("", 0, &wrong) == NULL && wrong.code == THW_E_INVALID);
  CHECK(thw_store_open("/proc/nowhere/sessions.db", THW_NUL, &wrong) == NULL && contains(wrong.message, "/proc/nowhere"));
}

// A budget of money wants a price, which a file may know.
static void price(const char *url, const char *path) {
  thw_error error = THW_ERROR_INIT, wrong = THW_ERROR_INIT;
  thw_agent *agent;
  thw_run *run;
  char more[1024];
  const char *money = ", \"provider\": \"openai\", \"api_key\": \"x\", \"max_tokens\": 100, \"budgets\": [{\"name\": \"money\", \"dollars\": 5}]";
  CHECK_OK(agent = thw_agent_new(engine, options(url, money), THW_NUL, NULL, &error));
  CHECK_OK(run = thw_agent_prompt(agent, "hi", 2, NULL, &error));
  CHECK(thw_run_wait(run, THW_FOREVER, &wrong) == THW_E_REJECTED && contains(wrong.message, "price"));
  thw_run_free(run), thw_agent_free(agent);
  snprintf(more, sizeof more, "%s, \"prices\": \"%s\"", money, path);
  CHECK_OK(agent = thw_agent_new(engine, options(url, more), THW_NUL, NULL, &error));
  say(agent, "hi");
  thw_agent_free(agent);
  snprintf(more, sizeof more, "%s, \"prices\": \"%s.not\"", money, path);
  CHECK(thw_agent_new(engine, options(url, more), THW_NUL, NULL, &wrong) == NULL && wrong.code == THW_E_INVALID);
  CHECK(contains(wrong.message, "`prices`") && contains(wrong.message, ".not"));
}

static void count(const char *url) {
  thw_error error = THW_ERROR_INIT;
  thw_agent *agent;
  thw_run *run;
  char *told;
  const char *more = ", \"max_tokens\": 100, \"budgets\": [{\"name\": \"team\", \"tokens\": 100000}], \"price\": {\"input\": 1, \"output\": 2}";
  CHECK_OK(agent = thw_agent_new(engine, options(url, more), THW_NUL, NULL, &error));
  say(agent, "hi");
  CHECK_OK(told = thw_engine_budgets(engine, &error));
  CHECK(contains(told, "\"team\"") && contains(told, "\"limit\":100000") && contains(told, "\"reserved\":0"));
  thw_free(told);
  thw_agent_free(agent);

  CHECK_OK(agent = thw_agent_new(engine, options(url, ", \"budgets\": [{\"name\": \"tiny\", \"tokens\": 5}]"), THW_NUL, NULL, &error));
  CHECK_OK(run = thw_agent_prompt(agent, "hi", 2, NULL, &error));
  thw_error spent = THW_ERROR_INIT;
  CHECK(thw_run_wait(run, THW_FOREVER, &spent) == THW_E_REJECTED);
  thw_run_free(run), thw_agent_free(agent);
  CHECK_OK(thw_engine_forget_budget(engine, "tiny", THW_NUL, &error) == THW_OK);
  thw_error other = THW_ERROR_INIT;
  CHECK(thw_agent_new(engine, options(url, ", \"budgets\": [{\"name\": \"team\", \"tokens\": 7}]"), THW_NUL, NULL, &other) == NULL);
  CHECK(contains(other.message, "other limits"));

  // A client shares it; what its reply used is not counted by this server, so that the worst case is.
  thw_client *client;
  const char *messages = "[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"hi\"}]}]";
  CHECK_OK(client = thw_client_new(engine, options(url, ", \"max_tokens\": 100, \"budgets\": [{\"name\": \"team\"}]"), THW_NUL, NULL, &error));
  CHECK_OK(told = thw_client_chat(client, messages, THW_NUL, 10000, &error));
  thw_free(told), thw_client_free(client);
  CHECK_OK(client = thw_client_new(engine, options(url, ", \"max_tokens\": 100000, \"budgets\": [{\"name\": \"team\"}]"), THW_NUL, NULL, &error));
  thw_error much = THW_ERROR_INIT;
  CHECK(thw_client_chat(client, messages, THW_NUL, 10000, &much) == NULL && much.code == THW_E_REJECTED);
  CHECK(contains(much.message, "left"));
  thw_client_free(client);
  CHECK(thw_agent_new(engine, options(url, ", \"middleware\": [{\"compact\": {}}]"), THW_NUL, NULL, &other) == NULL);
  CHECK(contains(other.message, "THW_HOOK_COMPACT"));
}

int main(int argc, char **argv) {
  CHECK(argc > 2);
  thw_error error = THW_ERROR_INIT;
  CHECK_OK(engine = thw_engine_new("{\"runs_max\": 10, \"log_bytes_max\": 1000000, \"event_bytes_max\": 100000}", THW_NUL, &error));
  keep(argv[1]);
  count(argv[1]);
  price(argv[1], argv[2]);
  thw_engine_free(engine);
  return 0;
}
