// The scenarios that every binding runs.
#ifndef SCENARIOS_HPP
#define SCENARIOS_HPP

#include <string>

#include <nlohmann/json.hpp>

// Reads the file, and makes a test of each.
void read_scenarios(const std::string &file);

const nlohmann::json &scenario(const std::string &name);

#endif
