#pragma once

// Runs the real command as a shell does. Independent of inspect/, which it tests.

#include "support/paths.hpp"
#include "support/temporary_folder.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace cli_test {

/// How the command ended.
struct outcome {
  int status = -1;  ///< 128 and the number of the signal that killed it, as in a shell
  std::string output;
  std::string errors;
};

/// A running `tare`; killed with the object.
class tare_command {
 public:
  /// Standard output goes into the file `output`, or is given in the outcome. Standard input is the file `input`, or
  /// the test's own.
  explicit tare_command(std::vector<std::string> arguments, const std::string& output = {},
                        const std::string& input = {}) {
    arguments.insert(arguments.begin(), support::path::command);
    std::vector<char*> words;
    words.reserve(arguments.size() + 1);
    for (auto& argument : arguments) words.push_back(argument.data());
    words.push_back(nullptr);

    posix_spawn_file_actions_t files;
    ::posix_spawn_file_actions_init(&files);
    const auto open_as = [&](int number, const std::string& path) {
      ::posix_spawn_file_actions_addopen(&files, number, path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    };
    open_as(STDOUT_FILENO, output.empty() ? (folder_ / "output").string() : output);
    open_as(STDERR_FILENO, (folder_ / "errors").string());
    if (!input.empty()) ::posix_spawn_file_actions_addopen(&files, STDIN_FILENO, input.c_str(), O_RDONLY, 0);
    const int failed = ::posix_spawn(&pid_, support::path::command, &files, nullptr, words.data(), environ);
    ::posix_spawn_file_actions_destroy(&files);
    if (failed != 0) throw std::system_error(failed, std::generic_category(), support::path::command);
  }
  tare_command(const tare_command&) = delete;
  tare_command& operator=(const tare_command&) = delete;
  ~tare_command() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

  void send(int signal) const { ::kill(pid_, signal); }

  outcome wait() {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    return {.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
            .output = support::read_file(folder_ / "output"),
            .errors = support::read_file(folder_ / "errors")};
  }

 private:
  support::temporary_folder folder_;
  pid_t pid_ = -1;
};

inline outcome run_tare(std::vector<std::string> arguments, const std::string& output = {}) {
  return tare_command(std::move(arguments), output).wait();
}

/// `tare weigh` with these options, of a program in the words of the shell; the number of tasks is $1.
inline std::vector<std::string> weigh_shell(std::vector<std::string> options, const std::string& script) {
  options.insert(options.begin(), "weigh");
  for (const auto& word :
       {std::string("--"), std::string("sh"), std::string("-c"), script, std::string("sh"), std::string("{n}")}) {
    options.push_back(word);
  }
  return options;
}

/// A program that is ready at once.
inline constexpr const char* ready = "echo READY; exec sleep 100";

/// Waits for a line in a file that another process writes, and returns it.
inline std::string wait_for_line(const std::filesystem::path& file) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(40);
  while (std::chrono::steady_clock::now() < deadline) {
    const std::string text = support::read_file(file);
    if (const auto end = text.find('\n'); end != std::string::npos) return text.substr(0, end);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  throw std::runtime_error("nothing in " + file.string());
}

}  // namespace cli_test
