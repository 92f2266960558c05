#pragma once

// The awaits of a coroutine as its source has them. Internal to inspect/.

#include <cstdint>
#include <filesystem>
#include <string_view>
#include <vector>

namespace tare::inspect {

/// The lines of co_await and co_yield in the body of the function of that name whose declaration begins on this line,
/// in order; without a name of the lambda that begins there. Those in lambdas inside it are the lambdas' own. Comments
/// and literals are passed over. Empty if the name does not stand there, if the body does not end, and if several on
/// the line are meant alike.
[[nodiscard]] std::vector<std::uint32_t> await_lines(std::string_view source, std::uint32_t begins,
                                                     std::string_view name);

/// Where a source file is that the debug information names. A program that was compiled with -ffile-prefix-map names it
/// relative to the checkout: then it is looked for in the folders above the binary, and at last in the working folder.
[[nodiscard]] std::filesystem::path find_source(const std::filesystem::path& named,
                                                const std::filesystem::path& binary);

/// The same for a file that is not newer than the binary; otherwise empty.
[[nodiscard]] std::vector<std::uint32_t> await_lines_of_file(const std::filesystem::path& named,
                                                             const std::filesystem::path& binary, std::uint32_t begins,
                                                             std::string_view name);

}  // namespace tare::inspect
