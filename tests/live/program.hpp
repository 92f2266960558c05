#pragma once

// Starts one of the programs in targets/ and reads from it what it has suspended.

#include "inspect/live/snapshot.hpp"
#include "measure/process/listen.hpp"
#include "measure/process/process.hpp"
#include "support/paths.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace live_test {

/// The number of frames per function, by its bare name.
using counts = std::map<std::string, std::uint64_t>;

struct program {
  tare::measure::process running;
  counts announced;
};

/// Generous: it only expires when a test fails.
inline constexpr std::chrono::seconds patience{60};

inline program start(std::vector<std::string> words, const std::filesystem::path& folder = {}) {
  auto running = tare::measure::process::start({.arguments = std::move(words), .directory = folder});
  if (!running) throw std::runtime_error(running.error().message);
  std::string text;
  const auto heard = tare::measure::listen(*running, std::chrono::steady_clock::now() + patience, -1, [&](auto bytes) {
    text += bytes;
    return text.contains("READY\n");
  });
  if (!heard || !heard->enough) throw std::runtime_error("it did not get ready: " + text);
  program begun{.running = std::move(*running), .announced = {}};
  std::istringstream lines(text);
  for (std::uint64_t count = 0; lines >> count;) {
    std::string function;
    lines >> function;
    begun.announced[function] = count;
  }
  return begun;
}

/// "leaf" of "hand::leaf(unsigned long)".
inline std::string bare_name(const std::string& function) {
  const std::string name = function.substr(0, function.find('('));
  const auto at = name.rfind("::");
  return at == std::string::npos ? name : name.substr(at + 2);
}

/// The counts of the functions that the program lists; all others, which belong to its library, are under "".
inline counts seen(const tare::inspect::live_snapshot& snapshot, const counts& announced) {
  counts all;
  for (const auto& site : snapshot.sites) {
    const auto name = bare_name(site.function);
    all[announced.contains(name) ? name : std::string()] += site.count;
  }
  return all;
}

/// The number of frames per path from the root: "root/middle/leaf".
inline counts ways(const tare::inspect::live_snapshot& snapshot) {
  counts all;
  std::vector<std::string> paths;
  for (const auto& node : snapshot.stacks) {
    const auto name = bare_name(snapshot.sites[node.site].function);
    paths.push_back(node.parent == tare::inspect::stack_node::no_parent ? name : paths[node.parent] + "/" + name);
    all[paths.back()] += node.count;
  }
  return all;
}

/// targets/NAME.
inline std::string target(const std::string& name) { return std::string(support::path::live) + "/" + name; }

}  // namespace live_test
