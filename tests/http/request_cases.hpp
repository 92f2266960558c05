#pragma once

// The cases of requests.toml.

#include "support/paths.hpp"

#include <toml++/toml.h>

#include <optional>
#include <ostream>
#include <stdexcept>
#include <string>
#include <vector>

namespace tare::test {

struct request_case {
  std::string name;
  std::string bytes;
  std::vector<std::string> bodies;
  std::optional<unsigned> status;

  friend void PrintTo(const request_case& of, std::ostream* to) { *to << of.name; }
};

inline std::vector<request_case> request_cases() {
  std::vector<request_case> cases;
  const toml::table file = toml::parse_file(support::path::request_cases);
  const toml::array* list = file["request"].as_array();
  if (list == nullptr) throw std::runtime_error("requests.toml has no [[request]]");
  for (const toml::node& node : *list) {
    const toml::table& entry = *node.as_table();
    request_case made{.name = entry["name"].value_or(std::string()),
                      .bytes = entry["bytes"].value_or(std::string()),
                      .bodies = {},
                      .status = entry["status"].value<unsigned>()};
    const toml::array* bodies = entry["bodies"].as_array();
    if (made.name.empty() || made.bytes.empty() || bodies == nullptr || !entry["rule"].is_string()) {
      throw std::runtime_error("requests.toml: a case lacks a name, bytes, bodies or rule: '" + made.name + "'");
    }
    for (const toml::node& body : *bodies) made.bodies.push_back(body.value_or(std::string()));
    cases.push_back(std::move(made));
  }
  return cases;
}

}  // namespace tare::test
