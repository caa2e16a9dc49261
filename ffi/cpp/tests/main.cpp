// Runs the tests: `tests BASE_URL SCENARIOS [PART_OF_A_NAME | -PART_OF_A_NAME]`; with a minus, those without it.

#include <iostream>

#include "check.hpp"
#include "scenarios.hpp"
#include "server.hpp"

int main(int argc, char **argv) {
  if (argc < 3) {
    std::cerr << "tests BASE_URL SCENARIOS [PART_OF_A_NAME | -PART_OF_A_NAME]\n";
    return 2;
  }
  base_url() = argv[1];
  read_scenarios(argv[2]);
  std::string part = argc > 3 ? argv[3] : "";
  bool is_without = !part.empty() && part[0] == '-';
  if (is_without) part.erase(0, 1);
  int ran = 0, failed = 0;
  auto began = std::chrono::steady_clock::now();
  for (const test &each : tests()) {
    if ((each.name.find(part) == std::string::npos) != is_without) continue;
    ran++;
    try {
      each.body();
      std::cout << "ok: " << each.name << std::endl;
    } catch (const std::exception &why) {
      failed++;
      std::cout << "FAILED: " << each.name << "\n  " << why.what() << std::endl;
    }
  }
  std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  std::cout << "Ran " << ran << " tests in " << took.count() << " s, " << failed << " failed\n";
  return ran == 0 || failed > 0;
}
