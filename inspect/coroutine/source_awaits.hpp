#pragma once

// The awaits in the source of a coroutine. Internal to inspect/.

#include <cstdint>
#include <filesystem>
#include <string_view>
#include <vector>

namespace tare::inspect {

/// The lines of co_await and co_yield, in order, in the body of the function with this name whose declaration begins on
/// this line; for an empty name, of the lambda that begins there. Awaits of nested lambdas are not included. Comments
/// and literals are skipped. Empty if the name is not there, if the body does not end, or if it is ambiguous.
[[nodiscard]] std::vector<std::uint32_t> await_lines(std::string_view source, std::uint32_t begins,
                                                     std::string_view name);

/// The path of a source file that the debug information names. With -ffile-prefix-map its name is relative to the
/// checkout: then it is searched for in the folders above the binary, and finally in the working folder.
[[nodiscard]] std::filesystem::path find_source(const std::filesystem::path& named,
                                                const std::filesystem::path& binary);

/// The same for a file that is not newer than the binary; otherwise empty.
[[nodiscard]] std::vector<std::uint32_t> await_lines_of_file(const std::filesystem::path& named,
                                                             const std::filesystem::path& binary, std::uint32_t begins,
                                                             std::string_view name);

}  // namespace tare::inspect
