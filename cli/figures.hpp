#pragma once

// Numbers in a readable form.

#include <cstdint>
#include <string>

namespace tare::cli {

/// "1,000,000"
[[nodiscard]] std::string with_commas(std::uint64_t number);
/// Bytes per task: one decimal below 100, no decimals otherwise.
[[nodiscard]] std::string per_task(double bytes);
/// "12.3 MB"; 1 MB is 1,000,000 bytes.
[[nodiscard]] std::string megabytes(std::uint64_t bytes);
/// "12,345 bytes" below a million, otherwise "12.3 MB".
[[nodiscard]] std::string readable_bytes(std::uint64_t bytes);
/// "+12", "-1,000"
[[nodiscard]] std::string with_sign(std::int64_t number);
/// "9.3 %"; "?" if the whole is 0.
[[nodiscard]] std::string percent(std::uint64_t part, std::uint64_t whole);
/// "52 ms", "1.2 s"
[[nodiscard]] std::string readable_seconds(double seconds);
/// "11.9 ns", "1.2 µs"
[[nodiscard]] std::string readable_nanoseconds(double nanoseconds);

}  // namespace tare::cli
