#pragma once

// The files whose code a process runs, and where in its memory they are. Internal to inspect/.

#include "base/error.hpp"
#include "inspect/memory/address_space.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace tare::inspect {

struct module {
  std::string name;             ///< the path as the process knows it
  std::filesystem::path file;   ///< the same file as this process reaches it
  std::uint64_t load_bias = 0;  ///< what the process adds to the file's addresses
  address_range code;           ///< of its executable part
};

/// How the files of a process are reached.
struct module_search {
  /// Of a running process; 0 for a core file.
  std::int64_t pid = 0;
  /// The program that a core file is of; empty: the one that it names.
  std::filesystem::path program;
  /// Where a core file says the program began to run; 0: not known.
  std::uint64_t entry = 0;
};

/// The program comes first if it can be told which it is. What cannot be used is told in `notes`: a file that is gone,
/// that was replaced since the process began, or that is none. An error if not even the program can be used.
[[nodiscard]] base::result<std::vector<module>> find_modules(const address_space& memory, const module_search& how,
                                                             std::vector<std::string>& notes);

}  // namespace tare::inspect
