#pragma once

// Shared by the tests of measure/process: starts a command and reads all of its output.

#include "measure/process/listen.hpp"
#include "measure/process/process.hpp"

#include <gtest/gtest.h>

#include <signal.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace conversation {

/// Generous, because it only runs out if a test fails.
inline constexpr std::chrono::seconds patience{40};

inline tare::measure::command call(std::vector<std::string> words, std::filesystem::path directory = {}) {
  return {.arguments = std::move(words), .directory = std::move(directory)};
}

inline tare::measure::process started(const tare::measure::command& what) {
  auto running = tare::measure::process::start(what);
  if (!running) throw std::runtime_error(running.error().message);
  return std::move(*running);
}

inline tare::measure::process shell(std::string line) { return started(tare::measure::shell_command(std::move(line))); }

/// Everything that a process writes until it ends.
struct transcript {
  std::string output;
  tare::measure::heard heard;

  [[nodiscard]] std::string end() const { return heard.ended ? heard.ended->text() : "still runs"; }
};

inline transcript hear_out(const tare::measure::process& speaker) {
  transcript all;
  auto heard = tare::measure::listen(speaker, std::chrono::steady_clock::now() + patience, -1, [&](auto bytes) {
    all.output += bytes;
    return false;
  });
  if (!heard) throw std::runtime_error(heard.error().message);
  all.heard = std::move(*heard);
  return all;
}

/// The first line that a process prints.
inline std::string first_line(const tare::measure::process& speaker) {
  std::string line;
  const auto heard = tare::measure::listen(speaker, std::chrono::steady_clock::now() + patience, -1, [&](auto bytes) {
    line += bytes;
    return line.contains('\n');
  });
  if (!heard || !heard->enough) throw std::runtime_error("no first line");
  return line.substr(0, line.find('\n'));
}

/// Parses the number of a process.
inline pid_t to_pid(std::string_view text) {
  pid_t pid = -1;
  const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), pid);
  if (wrong != std::errc{} || pid <= 0) throw std::runtime_error("no process number: " + std::string(text));
  return pid;
}

inline bool exists(pid_t pid) { return ::kill(pid, 0) == 0 || errno != ESRCH; }

/// Waits for the end of a process that is not a child of this one.
inline bool disappears(pid_t pid) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (exists(pid)) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

}  // namespace conversation
