#pragma once

// The files whose code a process executes, and their addresses in it. Internal to inspect/.

#include "base/error.hpp"
#include "inspect/memory/address_space.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace tare::inspect {

struct module {
  std::string name;             ///< the path in the process
  std::filesystem::path file;   ///< the path under which this process can open it
  std::uint64_t load_bias = 0;  ///< what the process adds to the file's addresses
  address_range code;           ///< of its executable part
};

/// How to find the files of a process.
struct module_search {
  /// The running process; 0 for a core file.
  std::int64_t pid = 0;
  /// The program that wrote a core file; empty: the one that it names.
  std::filesystem::path program;
  /// The entry address of the program, from a core file; 0: not known.
  std::uint64_t entry = 0;
};

/// The program comes first if it can be identified. Files that cannot be used are reported in `notes`: a file that no
/// longer exists, that was replaced after the process started, or that is not an ELF file. It is an error if even the
/// program cannot be used.
[[nodiscard]] base::result<std::vector<module>> find_modules(const address_space& memory, const module_search& how,
                                                             std::vector<std::string>& notes);

}  // namespace tare::inspect
