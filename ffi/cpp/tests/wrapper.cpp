// What the wrapper adds to the C library.

#include <poll.h>

#include <future>

#include "check.hpp"
#include "scenarios.hpp"
#include "server.hpp"

using nlohmann::json;
using namespace std::chrono_literals;

static std::string prompt(const char *name) { return scenario(name)["prompt"]; }
static std::string text_of(const char *name) { return scenario(name)["expect"]["text"]; }

static_assert(!std::is_copy_constructible_v<thalweg::run> && std::is_nothrow_move_constructible_v<thalweg::run>);
static_assert(!std::is_copy_constructible_v<thalweg::engine> && std::is_nothrow_move_constructible_v<thalweg::engine>);
static_assert(!std::is_copy_constructible_v<thalweg::agent> && std::is_nothrow_move_assignable_v<thalweg::agent>);
static_assert(!std::is_copy_constructible_v<thalweg::reader> && std::is_nothrow_move_constructible_v<thalweg::reader>);
static_assert(!std::is_copy_constructible_v<thalweg::decoder> && std::is_nothrow_move_constructible_v<thalweg::decoder>);
static_assert(!std::is_copy_constructible_v<thalweg::call>);
static_assert(std::is_nothrow_copy_constructible_v<thalweg::error>);

TEST("library and header are of the same version") {
  CHECK_EQUAL(thalweg::version(), THW_VERSION);
  CHECK_EQUAL(thw_version_number(), static_cast<std::uint32_t>(THW_VERSION_NUMBER));
}

TEST("options are the JSON of what was set") {
  thalweg::options options;
  options.set("text", "a \"b\" \\ \n \x01 é").set("yes", true).set("no", false).set("count", -3).set("half", 0.5);
  options.json("list", "[1, 2]");
  json expected = {{"text", "a \"b\" \\ \n \x01 é"}, {"yes", true}, {"no", false}, {"count", -3}, {"half", 0.5}, {"list", {1, 2}}};
  CHECK_EQUAL(json::parse(std::string_view(options)), expected);
  CHECK_EQUAL(std::string_view(thalweg::options()), "{}");
}

TEST("an option that nobody knows is an error that names it") {
  thalweg::error error = CHECK_THROWS(thalweg::engine("{\"thraeds\": 2}"));
  CHECK(error.code() == thalweg::errc::invalid);
  CHECK(std::string(error.what()).find("thraeds") != std::string::npos);
  CHECK(error.result().empty());
  CHECK(!error.retry_after());
}

TEST("a loop over a run that nothing else holds goes to its end") {
  thalweg::engine engine;
  thalweg::agent agent(engine, agent_options());
  std::string text;
  for (thalweg::event event : agent.prompt(prompt("text")).events())
    if (event.kind() == thalweg::kind::text) text += event.text();
  CHECK_EQUAL(text, text_of("text"));
}

TEST("readers begin at the first event, each at its own pace, also after the end") {
  thalweg::engine engine;
  thalweg::agent agent(engine, agent_options());
  thalweg::run run = agent.prompt(prompt("text"));
  auto count = [&run] {
    std::size_t events = 0;
    std::uint64_t seq = 0;
    for (thalweg::event event : run.events()) {
      CHECK(events == 0 || event.seq() > seq);
      seq = event.seq();
      events++;
    }
    return events;
  };
  std::size_t first = count();
  CHECK(first > 15);
  CHECK_EQUAL(count(), first);
  CHECK_EQUAL(run.text(), text_of("text"));
}

TEST("a reader outlives its run, its agent and its engine") {
  std::optional<thalweg::reader> reader;
  {
    thalweg::engine engine;
    thalweg::agent agent(engine, agent_options());
    thalweg::run run = agent.prompt(prompt("text"));
    run.wait();
    reader = run.events();
  }
  std::string text;
  while (!reader->is_over())
    for (thalweg::event event : reader->next())
      if (event.kind() == thalweg::kind::text) text += event.text();
  CHECK_EQUAL(text, text_of("text"));
}

TEST("a reader's descriptor wakes a poll") {
  thalweg::engine engine;
  thalweg::agent agent(engine, agent_options());
  thalweg::reader reader = agent.prompt(prompt("text")).events();
  pollfd waiting = {reader.fd(), POLLIN, 0};
  std::string text;
  while (!reader.is_over()) {
    CHECK(poll(&waiting, 1, 30000) > 0);
    for (;;) {
      thalweg::events batch = reader.next(0ms);
      if (batch.empty()) break;
      for (thalweg::event event : batch)
        if (event.kind() == thalweg::kind::text) text += event.text();
    }
  }
  CHECK_EQUAL(text, text_of("text"));
}

TEST("a run that nobody holds any more closes its socket") {
  endless server;
  thalweg::engine engine;
  thalweg::agent agent(engine, agent_options(server.url()));
  {
    thalweg::reader reader = agent.prompt("go").events();
    while (reader.next()[0].kind() != thalweg::kind::text) {
    }
    CHECK(!server.is_closed_within(20ms));
  }
  CHECK(server.is_closed_within(10s));
}

TEST("a run that was detached goes on") {
  thalweg::engine engine;
  thalweg::agent agent(engine, agent_options());
  agent.prompt(prompt("text")).detach();
  json conversation;
  for (int i = 0; i < 1000; i++) {
    conversation = json::parse(agent.conversation());
    if (conversation["messages"].size() == 2) break;
    std::this_thread::sleep_for(10ms);
  }
  CHECK_EQUAL(conversation["messages"][1]["content"][0]["text"], text_of("text"));
}

TEST("waiting for a time says whether the run goes on") {
  endless server;
  thalweg::engine engine;
  thalweg::agent agent(engine, agent_options(server.url()));
  thalweg::run run = agent.prompt("go");
  CHECK(!run.wait_for(20ms));
  run.abort();
  thalweg::error error = CHECK_THROWS(run.wait_for(10s));
  CHECK(error.code() == thalweg::errc::cancelled);
  CHECK_EQUAL(json::parse(run.result())["error"]["kind"], "aborted");
}

TEST("batches are handed to a callback, the end last, and what it holds is given back") {
  thalweg::engine engine;
  thalweg::agent agent(engine, agent_options());
  thalweg::run run = agent.prompt(prompt("text"));
  auto text = std::make_shared<std::string>();
  std::promise<void> over;
  run.on_batch([text, &over](thalweg::events events, bool is_over) {
    for (thalweg::event event : events)
      if (event.kind() == thalweg::kind::text) text->append(event.text());
    if (is_over) over.set_value();
  });
  CHECK(over.get_future().wait_for(30s) == std::future_status::ready);
  CHECK_EQUAL(*text, text_of("text"));
  engine = thalweg::engine();
  CHECK_EQUAL(text.use_count(), 1);
}

TEST("a callback that throws or says false is called no more") {
  thalweg::engine engine;
  thalweg::agent agent(engine, agent_options());
  thalweg::run run = agent.prompt(prompt("text"));
  std::atomic<int> thrown{0}, refused{0};
  run.on_batch([&thrown](thalweg::events, bool) {
    thrown++;
    throw 1;
  });
  run.on_batch([&refused](thalweg::events, bool) {
    refused++;
    return false;
  });
  run.wait();
  engine = thalweg::engine();
  CHECK_EQUAL(thrown.load(), 1);
  CHECK_EQUAL(refused.load(), 1);
}

// What the model was told of the two tools' calls; the server does not like it, since it waits for other answers.
template <class First, class Second>
static json told(First get_weather, Second multiply) {
  thalweg::engine engine;
  std::vector<thalweg::tool> tools;
  tools.emplace_back("get_weather", "The weather in a city.", R"({"type": "object"})", std::move(get_weather));
  tools.emplace_back("multiply", "The product of two numbers.", R"({"type": "object"})", std::move(multiply));
  thalweg::agent agent(engine, agent_options(), std::move(tools));
  json results = json::object();
  try {
    for (thalweg::event event : agent.prompt(prompt("two tools")).events()) {
      if (event.kind() != thalweg::kind::tool_execution_end) continue;
      json end = json::parse(event.text());
      results[end["tool_name"].get<std::string>()] = {{"is_error", end["is_error"]}, {"text", end["result"]["content"][0]["text"]}};
    }
  } catch (const thalweg::error &error) {
    CHECK_EQUAL(error.http_status(), 400);
  }
  return results;
}

TEST("what a tool throws is told to the model") {
  json results = told([](thalweg::call &) -> std::string { throw std::runtime_error("no such city"); },
                      [](thalweg::call &) -> std::string { throw 1; });
  CHECK_EQUAL(results["get_weather"]["is_error"], true);
  CHECK_EQUAL(results["get_weather"]["text"], "no such city");
  CHECK_EQUAL(results["multiply"]["is_error"], true);
}

TEST("a call that is dropped or failed is told to the model, and a second answer to nobody") {
  bool second = true;
  json results = told([](thalweg::call) {},
                      [&second](thalweg::call call) {
                        call.fail("cannot count");
                        second = call.answer("42");
                      });
  CHECK_EQUAL(results["get_weather"]["text"], "the tool gave no answer");
  CHECK_EQUAL(results["multiply"]["text"], "cannot count");
  CHECK_EQUAL(second, false);
}

TEST("functions of tools are given back with their agent") {
  auto held = std::make_shared<int>(1);
  thalweg::engine engine;
  auto make = [&](std::string_view options) {
    std::vector<thalweg::tool> tools;
    tools.emplace_back("echo", "Says it again.", "{}", [held](thalweg::call &call) { return call.arguments(); });
    return thalweg::agent(engine, options, std::move(tools));
  };
  {
    thalweg::agent agent = make(agent_options());
    CHECK_EQUAL(held.use_count(), 2);
  }
  CHECK_THROWS(make("{\"modle\": \"m\"}"));
  CHECK_EQUAL(held.use_count(), 1);
}

TEST("an abort tells a waiting tool, which may answer from there") {
  thalweg::engine engine;
  std::promise<void> asked, told;
  auto waiting = std::make_shared<std::optional<thalweg::call>>();
  std::vector<thalweg::tool> tools;
  tools.emplace_back("get_weather", "The weather.", "{}", [&, waiting](thalweg::call call) {
    waiting->emplace(std::move(call));
    (*waiting)->on_cancel([&, waiting] {
      CHECK((*waiting)->is_cancelled());
      (*waiting)->answer("too late");
      // The last to hold the call lets go of it.
      waiting->reset();
      told.set_value();
    });
    asked.set_value();
  });
  tools.emplace_back("multiply", "The product.", "{}", [](thalweg::call &) { return std::string("42"); });
  thalweg::agent agent(engine, agent_options(), std::move(tools));
  thalweg::run run = agent.prompt(prompt("two tools"));
  CHECK(asked.get_future().wait_for(30s) == std::future_status::ready);
  run.abort();
  CHECK(told.get_future().wait_for(30s) == std::future_status::ready);
  CHECK(CHECK_THROWS(run.wait()).code() == thalweg::errc::cancelled);
}

TEST("the conversation moves to another agent") {
  thalweg::engine engine;
  thalweg::agent first(engine, agent_options()), second(engine, agent_options());
  first.prompt(prompt("text")).wait();
  second.set_conversation(first.conversation());
  CHECK_EQUAL(second.conversation(), first.conversation());
  CHECK(CHECK_THROWS(second.set_conversation("{\"schema\": 99, \"messages\": []}")).code() == thalweg::errc::version);
}

TEST("what is steered in during a run comes before its end") {
  thalweg::engine engine;
  thalweg::agent agent(engine, agent_options());
  agent.follow_up(prompt("thinking"));
  thalweg::run run = agent.prompt_json(R"([{"role": "user", "content": [{"type": "text", "text": "Why is the sky blue?"}]}])");
  run.wait();
  json messages = json::parse(run.result())["messages"];
  std::vector<std::string> said;
  for (const json &message : messages)
    if (message["role"] == "user") said.push_back(message["content"][0]["text"]);
  CHECK_EQUAL(said.size(), 2u);
  CHECK_EQUAL(said[1], prompt("thinking"));
}

TEST("the bare decoder reads a stream, cut anywhere") {
  thalweg::decoder decoder("openai-chat");
  const std::string body =
      "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hel\"}}]}\n\n"
      "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"lo\"}}]}\n\ndata: [DONE]\n\n";
  for (std::size_t cut = 0; cut <= body.size(); cut++) {
    std::string text;
    auto take = [&text](thalweg::events events) {
      for (thalweg::event event : events)
        if (event.kind() == thalweg::kind::text) text += event.text();
    };
    take(decoder.feed(body.substr(0, cut)));
    take(decoder.feed(body.substr(cut)));
    take(decoder.finish());
    CHECK_EQUAL(text, "Hello");
    decoder.reset();
  }
}

TEST("a stream that was cut off is an error, and that of a body an event") {
  thalweg::decoder decoder("openai-chat");
  decoder.feed("data: {\"choices\":[{\"ind");
  CHECK(CHECK_THROWS(decoder.finish()).code() == thalweg::errc::protocol);
  decoder.reset();
  thalweg::events events = decoder.body(429, R"({"error": {"message": "slow down", "type": "rate_limit_error"}})");
  CHECK_EQUAL(events.size(), 1u);
  CHECK(events[0].kind() == thalweg::kind::error);
  CHECK_EQUAL(events[0].text(), "slow down");
  CHECK(CHECK_THROWS(thalweg::decoder("klingon")).code() == thalweg::errc::unsupported);
}

TEST("a provider of the program and hooks need no server") {
  thalweg::engine engine;
  std::vector<std::string> asked;
  thalweg::provider provider("here", [](thalweg::call &call) -> std::string {
    json last = json::parse(call.arguments())["messages"].back();
    if (last["role"] == "tool") {
      std::string said = last["content"][0]["content"][0]["text"];
      CHECK(call.push(THW_EVENT_TEXT, said));
      CHECK(call.push(THW_EVENT_STOP, "stop", THW_STOP_END));
    } else {
      CHECK(call.push(THW_EVENT_TOOL_BEGIN, "add", 0, 0, "c1"));
      CHECK(call.push(THW_EVENT_TOOL_ARGUMENTS, R"({"a": 1, "b": 2})"));
      CHECK(call.push(THW_EVENT_STOP, "tool_calls", THW_STOP_TOOL_USE));
    }
    return {};
  });
  thalweg::tool add("add", "Adds.", R"({"type": "object"})", [](thalweg::call &call) -> std::string {
    json arguments = json::parse(call.arguments());
    return std::to_string(arguments["a"].get<int>() + arguments["b"].get<int>());
  });
  thalweg::hook before(THW_HOOK_BEFORE_TOOL_CALL, [&asked](thalweg::call &call) -> std::string {
    asked.push_back(json::parse(call.arguments())["tool_name"]);
    return R"({"args": {"a": 20, "b": 22}})";
  });
  thalweg::hook after(THW_HOOK_AFTER_TOOL_CALL, [](thalweg::call call) { call.answer({}); });
  std::vector<thalweg::tool> tools;
  std::vector<thalweg::hook> hooks;
  std::vector<thalweg::provider> providers;
  tools.push_back(std::move(add)), hooks.push_back(std::move(before)), hooks.push_back(std::move(after));
  providers.push_back(std::move(provider));
  thalweg::agent agent(engine, R"({"model": "here/one"})", std::move(tools), std::move(hooks), std::move(providers));
  agent.follow_up_json(R"([{"role": "user", "content": [{"type": "text", "text": "again"}]}])");
  CHECK_EQUAL(agent.prompt("go").text(), "42");
  CHECK_EQUAL(asked.size(), 2u);
  CHECK_EQUAL(asked[0], "add");
}

TEST("a team answers in the place of a model, and its members have names") {
  thalweg::engine engine;
  std::vector<thalweg::provider> providers;
  providers.emplace_back("here", [](thalweg::call &call) -> std::string {
    json request = json::parse(call.arguments());
    std::string model = request["model"], asked = request["messages"].back()["content"][0]["text"];
    CHECK(call.push(THW_EVENT_TEXT, model + " of " + asked));
    CHECK(call.push(THW_EVENT_STOP, "stop", THW_STOP_END));
    return {};
  });
  const char *options = R"({"team": {"kind": "pipeline", "members": [
    {"name": "draft", "model": "here/a"}, {"name": "polish", "model": "here/b"}]}})";
  thalweg::agent agent(engine, options, {}, {}, std::move(providers));
  thalweg::run run = agent.prompt("Q");
  std::string thought, answer;
  for (thalweg::event event : run.events()) {
    bool is_answer = event.kind() == thalweg::kind::text;
    if (!is_answer && event.kind() != thalweg::kind::thinking) continue;
    CHECK_EQUAL(event.aux(), is_answer ? "polish" : "draft");
    (is_answer ? answer : thought) += event.text();
  }
  CHECK_EQUAL(thought, "a of Q");
  CHECK_EQUAL(answer, "b of a of Q");
  CHECK_EQUAL(run.text(), answer);
  const char *slip = R"({"team": {"kind": "pipeline", "members": [{"name": "draft", "modle": "m"}]}})";
  thalweg::error error = CHECK_THROWS(thalweg::agent(engine, slip));
  CHECK(error.code() == thalweg::errc::invalid);
  CHECK(std::string(error.what()).find("modle") != std::string::npos);
}

TEST("a conversation is kept, and clients reply without one") {
  thalweg::engine engine;
  thalweg::store store(":memory:");
  auto echo = [](thalweg::call &call) -> std::string {
    CHECK(call.push(THW_EVENT_TEXT, std::to_string(json::parse(call.arguments())["messages"].size())));
    CHECK(call.push(THW_EVENT_STOP, "stop", THW_STOP_END));
    return {};
  };
  auto providers = [&echo] {
    std::vector<thalweg::provider> all;
    all.emplace_back("here", echo);
    return all;
  };
  const char *options = R"({"model": "here/one", "budgets": [{"name": "all"}]})";
  thalweg::agent first(engine, options, {}, {}, providers());
  CHECK_EQUAL(first.session(), "null");
  std::string session = json::parse(first.keep(store, R"({"title": "T"})"))["session"];
  CHECK_EQUAL(first.prompt("one").text(), "1");
  thalweg::agent second(engine, options, {}, {}, providers());
  second.keep(store, R"({"session": "last"})");
  CHECK_EQUAL(second.prompt("two").text(), "3");
  json told = json::parse(store.ask(R"({"read": {"session": "last"}})"));
  CHECK_EQUAL(told["messages"].size(), 4u);
  CHECK(told["session"] == session);
  CHECK(json::parse(engine.budgets()).contains("all"));
  engine.forget_budget("all");
  CHECK_EQUAL(engine.budgets(), "{}");
  CHECK(CHECK_THROWS(store.ask(R"({"read": {"session": "nobody"}})")).code() == thalweg::errc::invalid);

  thalweg::client client(engine, R"({"model": "here/one"})", {}, {}, providers());
  const char *messages = R"([{"role": "user", "content": [{"type": "text", "text": "hi"}]}])";
  CHECK_EQUAL(json::parse(client.chat(messages))["content"][0]["text"], "1");
  thalweg::run run = client.stream(messages);
  thalweg::reader reader = run.events();
  reader.hold_back();
  std::string said;
  for (thalweg::event event : reader)
    if (event.kind() == thalweg::kind::text) said += event.text();
  CHECK_EQUAL(said, "1");
}
