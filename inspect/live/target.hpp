#pragma once

// A process, or a core file, whose suspended coroutines are inspected.
//
//   auto target = tare::inspect::live_target::of_process(pid);
//   auto now = target->snapshot();
//
// Its binaries are read once; each snapshot then takes as long as reading the memory. The process is only read, and
// stopped only on request. Nothing that is read from it is trusted: every address is checked, and a malicious process
// or file can at most cause a wrong snapshot.

#include "base/error.hpp"
#include "inspect/live/frame_view.hpp"
#include "inspect/live/snapshot.hpp"

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace tare::inspect {

struct live_options {
  std::vector<std::filesystem::path> debug_folders = {};  ///< searched for separate debug files, before /usr/lib/debug
  bool stacks = false;                                    ///< also find out which frame waits for which
  bool pools = false;                                     ///< also count what looks like frames inside other objects
  bool rust = false;                                      ///< also find the futures that a Rust program holds in boxes
  /// Stop the process while its memory is read, but for no longer than this; 0: read it as it runs.
  std::chrono::nanoseconds longest_pause = {};
};

class live_target {
 public:
  /// The error is one line: the process does not exist, is not a 64-bit x86 process, or cannot be read; then it says
  /// which permission is missing.
  [[nodiscard]] static base::result<live_target> of_process(std::int64_t pid, live_options options = {});
  /// The error is one line: not a core file, truncated before any memory, or of another program. Without `program`, the
  /// core file names it.
  [[nodiscard]] static base::result<live_target> of_core(const std::filesystem::path& core,
                                                         const std::filesystem::path& program = {},
                                                         live_options options = {});
  live_target(live_target&&) noexcept;
  live_target& operator=(live_target&&) noexcept;
  live_target(const live_target&) = delete;
  live_target& operator=(const live_target&) = delete;
  ~live_target();

  /// An error if the process has ended.
  [[nodiscard]] base::result<live_snapshot> snapshot();

  /// The first `most` frames, by address, whose function or place ("server.cpp:42") `wanted` accepts.
  [[nodiscard]] base::result<std::vector<listed_frame>> list(const std::function<bool(const std::string&)>& wanted,
                                                             std::size_t most);

  /// The frame that begins at an address, with its content. An error if no suspended frame begins there.
  [[nodiscard]] base::result<frame_view> frame(std::uint64_t address);

 private:
  class state;
  explicit live_target(std::unique_ptr<state> opened);

  std::unique_ptr<state> state_;
};

}  // namespace tare::inspect
