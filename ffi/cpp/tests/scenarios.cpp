#include "scenarios.hpp"

#include <fstream>
#include <list>
#include <map>
#include <mutex>
#include <vector>

#include "check.hpp"
#include "server.hpp"

using nlohmann::json;

namespace {

json all;

// A member that may be absent.
const json &list(const json &of, const char *key) {
  static const json none = json::array();
  return of.contains(key) ? of[key] : none;
}

const std::map<std::string, thalweg::errc> codes = {
    {"THW_E_CANCELLED", thalweg::errc::cancelled},
    {"THW_E_REMOTE", thalweg::errc::remote},
};

// How a tool answers: when it returns, or later from another thread.
enum class way { at_once, later };

// Calls that came, from several threads; and the threads of those that answer later.
struct seen_calls {
  std::mutex mutex;
  std::map<std::string, json> arguments;
  std::vector<std::thread> threads;

  ~seen_calls() {
    for (std::thread &each : threads) each.join();
  }
};

thalweg::tool tool_of(const json &said, way how, seen_calls &seen) {
  auto answer = [said, &seen](thalweg::call &call) -> std::string {
    {
      std::lock_guard<std::mutex> lock(seen.mutex);
      seen.arguments[said["name"]] = json::parse(call.arguments());
    }
    for (const json &text : list(said, "progress")) call.progress(text.get<std::string>(), 0.5);
    return said["answer"];
  };
  std::string name = said["name"], description = said["description"], parameters = said["parameters"].dump();
  if (how == way::at_once) return {name, description, parameters, answer};
  auto later = [answer, &seen](thalweg::call call) {
    auto work = [answer, call = std::move(call)]() mutable { call.answer(answer(call)); };
    std::lock_guard<std::mutex> lock(seen.mutex);
    seen.threads.emplace_back(std::move(work));
  };
  return {name, description, parameters, later};
}

// What the events showed.
struct shown {
  std::string text, thinking;
  int deltas = 0, turns = 0;
  json progress = json::array();

  void take(thalweg::event event) {
    switch (event.kind()) {
      case thalweg::kind::text:
        text += event.text();
        deltas++;
        break;
      case thalweg::kind::thinking: thinking += event.text(); break;
      case thalweg::kind::turn_start:
        turns++;
        text.clear();
        break;
      case thalweg::kind::tool_execution_update: {
        json update = json::parse(event.text());
        for (const json &part : update["partial_result"]["content"]) progress.push_back(part["text"]);
        break;
      }
      default: break;
    }
  }
};

std::string joined(const json &message, const char *type) {
  std::string out;
  for (const json &block : message["content"])
    if (block["type"] == type) out += block["text"].get<std::string>();
  return out;
}

void check_result(const json &expected, const shown &seen, const seen_calls &calls, const json &result) {
  CHECK_EQUAL(seen.text, expected["text"].get<std::string>());
  CHECK_EQUAL(joined(result["message"], "text"), seen.text);
  if (expected.contains("text_deltas")) CHECK_EQUAL(seen.deltas, expected["text_deltas"].get<int>());
  if (expected.contains("thinking")) {
    CHECK_EQUAL(seen.thinking, expected["thinking"].get<std::string>());
    CHECK_EQUAL(joined(result["message"], "thinking"), seen.thinking);
  }
  if (expected.contains("stop_reason")) CHECK_EQUAL(result["message"]["stop_reason"]["mapped"], expected["stop_reason"]);
  for (const auto &[counter, tokens] : list(expected, "usage").items())
    CHECK_EQUAL(result["usage"][counter], tokens);
  if (expected.contains("turns")) CHECK_EQUAL(seen.turns, expected["turns"].get<int>());
  for (const json &call : list(expected, "tool_calls"))
    CHECK_EQUAL(calls.arguments.at(call["name"]), call["arguments"]);
  CHECK_EQUAL(calls.arguments.size(), list(expected, "tool_calls").size());
  CHECK_EQUAL(seen.progress, list(expected, "progress"));
}

void check_error(const json &expected, const thalweg::error &error, const std::string &text) {
  const json &wanted = expected["error"];
  CHECK(error.code() == codes.at(wanted["status"]));
  json result = json::parse(error.result());
  CHECK_EQUAL(result["error"]["kind"], wanted["kind"]);
  CHECK_EQUAL(error.http_status(), wanted.value("http_status", 0));
  CHECK_EQUAL(error.retryable(), wanted.value("retryable", false));
  CHECK_EQUAL(error.retry_after().value_or(std::chrono::milliseconds(-1)).count(), wanted.value("retry_after_ms", -1));
  CHECK(std::string(error.what()).find(wanted.value("message_contains", "")) != std::string::npos);
  CHECK_EQUAL(text, expected.value("text", ""));
}

void run(const json &said, way how) {
  seen_calls calls;
  thalweg::engine engine;
  std::vector<thalweg::tool> tools;
  for (const json &tool : list(said, "tools")) tools.push_back(tool_of(tool, how, calls));
  thalweg::options options = agent_options();
  for (const auto &[key, value] : list(said, "options").items()) options.json(key, value.dump());
  thalweg::agent agent(engine, options, std::move(tools));
  thalweg::run run = agent.prompt(said["prompt"].get<std::string>());
  shown seen;
  const json &expected = said["expect"];
  try {
    for (thalweg::event event : run.events()) {
      seen.take(event);
      if (!seen.text.empty() && seen.text == said.value("abort_after_text", "")) run.abort();
    }
    run.wait();
  } catch (const thalweg::error &error) {
    if (!expected.contains("error")) throw;
    return check_error(expected, error, seen.text);
  }
  CHECK(!expected.contains("error"));
  CHECK_EQUAL(run.text(), expected["text"].get<std::string>());
  check_result(expected, seen, calls, json::parse(run.result()));
}

// All at once, with one consumer for the whole engine.
void run_many(const json &said) {
  thalweg::engine engine;
  std::list<thalweg::agent> agents;
  std::list<thalweg::run> runs;
  std::vector<std::string> texts(said["runs"].get<std::size_t>());
  for (std::string &text : texts) {
    agents.emplace_back(engine, agent_options());
    runs.push_back(agents.back().prompt(said["prompt"].get<std::string>()));
    runs.back().drain(&text);
  }
  for (std::size_t over = 0; over < texts.size();) {
    std::vector<thalweg::batch> batches = engine.next(std::chrono::seconds(60));
    CHECK(!batches.empty());
    for (const thalweg::batch &batch : batches) {
      for (thalweg::event event : batch.events)
        if (event.kind() == thalweg::kind::text) static_cast<std::string *>(batch.user)->append(event.text());
      over += batch.is_over;
    }
  }
  for (const std::string &text : texts) CHECK_EQUAL(text, said["expect"]["text"].get<std::string>());
}

}  // namespace

void read_scenarios(const std::string &file) {
  std::ifstream in(file);
  all = json::parse(in)["scenarios"];
  for (const json &said : all) {
    std::string name = said["name"];
    if (said.contains("runs")) {
      registered("scenario: " + name, [&said] { run_many(said); });
      continue;
    }
    registered("scenario: " + name, [&said] { run(said, way::at_once); });
    if (said.contains("tools")) registered("scenario: " + name + ", answered later", [&said] { run(said, way::later); });
  }
}

const json &scenario(const std::string &name) {
  for (const json &said : all)
    if (said["name"] == name) return said;
  throw std::runtime_error("there is no scenario " + name);
}
