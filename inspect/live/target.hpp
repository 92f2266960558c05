#pragma once

// A process, or the core file of one, whose suspended coroutines are looked at.
//
//   auto target = tare::inspect::live_target::of_process(pid);
//   auto now = target->snapshot();
//
// What its binaries say is read once; each snapshot then takes as long as reading the memory. The process is only read,
// and stopped only if that was asked for. Nothing that is read from it is trusted: every address is checked, and a
// process or file that means harm can make a snapshot wrong, but no more.

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
  bool stacks = false;                                    ///< also who waits for whom
  bool pools = false;                                     ///< count what looks like frames inside of other objects, too
  bool rust = false;                                      ///< also the futures that a Rust program holds in boxes
  /// Stop the process while its memory is read, but for no longer than this; 0: read it as it runs.
  std::chrono::nanoseconds longest_pause = {};
};

class live_target {
 public:
  /// One line says what is wrong: no such process, no permission and what would give it, not a 64-bit x86 process.
  [[nodiscard]] static base::result<live_target> of_process(std::int64_t pid, live_options options = {});
  /// Likewise: no core file, cut short before anything of use, or of another program. Without `program` it is the one
  /// that the core file names.
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

  /// Where frames are: the first `most` whose function or place, "server.cpp:42", `wanted` says yes to, by address.
  [[nodiscard]] base::result<std::vector<listed_frame>> list(const std::function<bool(const std::string&)>& wanted,
                                                             std::size_t most);

  /// The frame that begins at an address, and what is in it. An error if none is suspended there.
  [[nodiscard]] base::result<frame_view> frame(std::uint64_t address);

 private:
  class state;
  explicit live_target(std::unique_ptr<state> opened);

  std::unique_ptr<state> state_;
};

}  // namespace tare::inspect
