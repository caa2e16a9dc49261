// An agent with two tools, one that answers when it returns and one that answers later, and all that happens while it works.
//
//     weather [BASE_URL]
//
// With a base URL, such as that of `thalweg replay ffi/scenarios/*.jsonl` with /v1, it needs no key.

#include <iostream>
#include <thread>

#include <thalweg.hpp>

static std::string multiply(thalweg::call &call) {
  int a = 0, b = 0;  // a JSON library does it better
  if (std::sscanf(call.arguments().c_str(), "{\"a\":%d,\"b\":%d}", &a, &b) != 2) throw std::invalid_argument("need a and b");
  return std::to_string(a * b);
}

static void get_weather(thalweg::call call) {
  call.progress("asking", 0.5);
  std::thread([call = std::move(call)]() mutable {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    call.answer("It is sunny in Paris, 21 °C.");
  }).detach();
}

int main(int argc, char **argv) {
  thalweg::options options;
  options.set("model", argc > 1 ? "hand-written-1" : "openai/gpt-4o-mini");  // the key comes from OPENAI_API_KEY
  if (argc > 1) options.set("base_url", argv[1]).set("api_key", "none");
  std::vector<thalweg::tool> tools;
  tools.emplace_back("get_weather", "The weather in a city.",
                     R"({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]})", get_weather);
  tools.emplace_back("multiply", "The product of two numbers.",
                     R"({"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}})", multiply);
  try {
    thalweg::engine engine;
    thalweg::agent agent(engine, options, std::move(tools));
    thalweg::run run = agent.prompt("What is the weather in Paris, and what is 6 times 7?");
    for (thalweg::event event : run.events()) {
      switch (event.kind()) {
        case thalweg::kind::text: std::cout << event.text() << std::flush; break;
        case thalweg::kind::tool_execution_update:
        case thalweg::kind::tool_execution_end: std::cout << "\n[" << event.text() << "]" << std::endl; break;
        default: break;
      }
    }
    std::cout << std::endl;
  } catch (const thalweg::error &error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
}
