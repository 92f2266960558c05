#pragma once

// Figures as people read them.

#include <cstdint>
#include <string>

namespace tare::cli {

/// "1,000,000"
[[nodiscard]] std::string with_commas(std::uint64_t number);
/// Bytes per task: one decimal below 100, none from there on.
[[nodiscard]] std::string per_task(double bytes);
/// "12.3 MB"; a million bytes.
[[nodiscard]] std::string megabytes(std::uint64_t bytes);
/// "12,345 bytes" below a million, "12.3 MB" from there on.
[[nodiscard]] std::string readable_bytes(std::uint64_t bytes);
/// "+12", "-1,000"
[[nodiscard]] std::string with_sign(std::int64_t number);
/// "9.3 %"; "?" of nothing.
[[nodiscard]] std::string percent(std::uint64_t part, std::uint64_t whole);
/// "52 ms", "1.2 s"
[[nodiscard]] std::string readable_seconds(double seconds);
/// "11.9 ns", "1.2 µs"
[[nodiscard]] std::string readable_nanoseconds(double nanoseconds);

}  // namespace tare::cli
