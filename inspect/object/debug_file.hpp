#pragma once

// Where the separate debug file of a binary may be. Internal to inspect/object/.

#include <llvm/Object/ObjectFile.h>

#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace tare::inspect {

struct debug_file_places {
  std::vector<std::filesystem::path> places;  ///< existing files, the most likely first
  std::vector<std::string> problems;          ///< files in these places that belong to other binaries
};

/// Looks for it where debuggers do: by build id and by .gnu_debuglink, in `folders`, beside the binary and in
/// /usr/lib/debug.
[[nodiscard]] debug_file_places find_debug_files(const std::string& binary, const llvm::object::ObjectFile& file,
                                                 std::span<const std::filesystem::path> folders);

}  // namespace tare::inspect
