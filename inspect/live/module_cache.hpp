#pragma once

// The coroutines in the binaries of a process, read once. Internal to inspect/live/.

#include "base/error.hpp"
#include "inspect/facts/coroutine.hpp"
#include "inspect/live/frame_index.hpp"
#include "inspect/live/module.hpp"
#include "inspect/live/vtable_index.hpp"
#include "inspect/memory/address_space.hpp"

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace tare::inspect {

struct module_options {
  std::vector<std::filesystem::path> debug_folders;
  bool rust = false;
};

/// What was read. Coroutines of all binaries are numbered in one sequence.
struct known_modules {
  std::string command;
  std::vector<coroutine> coroutines;
  frame_index frames;
  vtable_index vtables;
  std::vector<std::uint64_t> arenas;  ///< addresses in the process
  std::vector<std::string> notes;

  struct binary {
    std::uint32_t first_coroutine = 0;
    std::filesystem::path file;
  };
  std::vector<binary> binaries;  ///< in the order of their first coroutines
  [[nodiscard]] const std::filesystem::path& binary_of(std::uint32_t coroutine) const;
};

class module_cache {
 public:
  /// `command` is that of a core file, whose program may not be among the readable files; otherwise empty.
  module_cache(module_search search, module_options options, std::string command = {})
      : search_(std::move(search)), options_(std::move(options)), core_command_(std::move(command)) {}

  /// Reads the binaries, unless the process has the same mappings as before.
  base::result<void> refresh(const address_space& memory);
  [[nodiscard]] const known_modules& known() const noexcept { return known_; }

 private:
  void read(const module& module, bool program);
  void add_notes(std::span<const module> modules);

  module_search search_;
  module_options options_;
  std::string core_command_;
  bool read_ = false;
  std::vector<std::pair<std::uint64_t, std::string>> code_;
  known_modules known_;
};

}  // namespace tare::inspect
