#pragma once

// Child processes.
//
//   auto sorted = co_await tare::net::run_process("sort", {.arguments = {"-n"}}, "3\n1\n2\n");
//   if (!sorted) return fail(sorted.error());                       // for example: there is no such program
//   if (sorted->status.is_success()) use(sorted->output);
//
//   auto child = tare::net::process::start("tail", {.arguments = {"-f", "log"}, .output = tare::net::stdio::pipe});
//   co_await child->output().read(buffer);
//   co_await child->stop(5s);                                       // SIGTERM, and SIGKILL after five seconds
//
// A process that is still running when its object is destroyed is killed. So is that of a cancelled `run_process`.
//
// **Bytes** An object is 32, and a descriptor for the process and one for each pipe. No thread and no signal handler is
// used; SIGCHLD must not be ignored.

#include <tare/net/pipe.hpp>
#include <tare/net/result.hpp>
#include <tare/task.hpp>

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace tare::net {

/// What a standard stream of the child is connected to.
enum class stdio : std::uint8_t {
  inherit,  ///< what the parent's is
  null,     ///< /dev/null
  pipe,     ///< the parent, through a pipe
};

struct process_options {
  std::vector<std::string> arguments = {};                   ///< after the name of the program
  std::optional<std::vector<std::string>> environment = {};  ///< "NAME=value"; by default that of the parent
  std::string directory = {};                                ///< where it runs; by default where the parent does
  stdio input = stdio::null;
  stdio output = stdio::inherit;
  stdio errors = stdio::inherit;
  /// The child leads a process group of its own, and signals go to the whole group: its own children, too.
  bool own_group = false;
};

struct exit_status {
  int code = 0;    ///< what it passed to exit, if no signal ended it
  int signal = 0;  ///< the signal that ended it, if any
  [[nodiscard]] bool is_success() const noexcept { return code == 0 && signal == 0; }
  friend bool operator==(const exit_status&, const exit_status&) = default;
};

/// Move-only. **Threads** From tasks of any shard, one at a time.
class process {
 public:
  /// Starts a program, which is looked for in PATH if its name has no slash. The child inherits no descriptors but the
  /// standard streams; it gets default signal handlers, and no signal is blocked. Blocks the shard until the program
  /// has been loaded, usually for less than a millisecond.
  ///
  /// **Errors** std::errc::no_such_file_or_directory, permission_denied and others of execve(2) and chdir(2);
  /// std::errc::invalid_argument if an argument contains a null character. Throws std::bad_alloc.
  [[nodiscard]] static result<process> start(const std::string& program, const process_options& options = {});

  process(process&& other) noexcept;
  process& operator=(process&& other) noexcept;
  process(const process&) = delete;
  process& operator=(const process&) = delete;
  /// Kills the process if it is running. In a task, the system's record of it is removed in the background; elsewhere
  /// this waits for its end.
  ~process();

  [[nodiscard]] pid_t id() const noexcept { return id_; }
  /// Open if the option was stdio::pipe. Close the input when everything has been written.
  [[nodiscard]] pipe_writer& input() noexcept { return input_; }
  [[nodiscard]] pipe_reader& output() noexcept { return output_; }
  [[nodiscard]] pipe_reader& errors() noexcept { return errors_; }

  /// Waits for its end. May be called again: the result is the same.
  ///
  /// **Errors** std::errc::no_child_process if SIGCHLD is ignored, or if something else has waited for all children.
  /// **Cancellation** It runs on.
  task<result<exit_status>> wait();

  /// **Errors** std::errc::no_such_process if its end has been waited for.
  result<void> signal(int number) noexcept;

  /// Closes the input, sends SIGTERM, and after `grace` SIGKILL. Waits for its end.
  ///
  /// **Errors** As `wait`. **Cancellation** It has got SIGTERM.
  task<result<exit_status>> stop(std::chrono::nanoseconds grace);

  /// Lets it run on without this object. Returns its number; wait for its end with waitpid(2).
  pid_t release() noexcept;

 private:
  process() noexcept = default;
  void end() noexcept;

  pid_t id_ = -1;
  detail::pipe_end watched_;  ///< a pidfd, readable when the process has ended
  pipe_writer input_;
  pipe_reader output_;
  pipe_reader errors_;
  bool leads_group_ = false;
  bool has_ended_ = false;
  exit_status status_;
};

struct process_output {
  exit_status status;
  std::string output;
  std::string errors;
};

/// Runs a program to its end with `input`, and returns what it printed. The standard streams of the options are
/// ignored.
///
/// **Errors** As `start` and `wait`; std::errc::file_too_large if it prints more than `max_bytes` to one of its
/// streams: it is killed. That it does not read its input to the end is not an error. Throws std::bad_alloc.
/// **Cancellation** It is killed. **Threads** From a task of any shard. **Bytes** What it prints, and about 2 KiB.
task<result<process_output>> run_process(std::string program, process_options options = {}, std::string input = {},
                                         std::size_t max_bytes = std::size_t{1} << 20U);

}  // namespace tare::net
