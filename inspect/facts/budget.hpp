#pragma once

// Budgets of frames, in a TOML file:
//
//   [[budget]]
//   match = "^server::"        # a regular expression for the coroutine's name; or
//   file = "/service/"         # one for its source file; with both, both must match
//   frame = 256                # bytes, or a text such as "1 KiB"
//   await = 128                # live and held bytes at any one await
//   chain = "1 KiB"            # its frame and those of all that it awaits, on the heaviest path
//
// Every budget that matches a coroutine applies to it.

#include "base/error.hpp"
#include "inspect/facts/coroutine.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <regex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tare::inspect {

struct budget {
  std::string match_text;
  std::string file_text;
  std::optional<std::regex> match;
  std::optional<std::regex> file;
  std::optional<std::uint64_t> frame;
  std::optional<std::uint64_t> await;
  std::optional<std::uint64_t> chain;
  source_line where;  ///< in the budget file

  [[nodiscard]] bool fits(const coroutine& coroutine) const;
};

/// An error begins with the place: "tare.toml:4:1: unknown key 'frmae'".
[[nodiscard]] base::result<std::vector<budget>> read_budgets(const std::filesystem::path& file);
/// The same from text; `file` is used in messages.
[[nodiscard]] base::result<std::vector<budget>> parse_budgets(std::string_view text, const std::filesystem::path& file);

/// "1 KiB", "4096", "2 kB": bytes. nullopt if it is not a size.
[[nodiscard]] std::optional<std::uint64_t> parse_bytes(std::string_view text);

/// A coroutine that exceeds a budget.
struct violation {
  const coroutine* of = nullptr;
  source_line where;  ///< the coroutine or the await
  std::string rule;   ///< "frame", "await", "chain", "ratchet", "declared"
  std::uint64_t bytes = 0;
  std::uint64_t limit = 0;
  std::string message;  ///< one line
};

[[nodiscard]] std::vector<violation> check_budgets(std::span<const coroutine> all, std::span<const budget> budgets);

/// TARE_FRAME_BUDGET beside a coroutine in the source.
[[nodiscard]] std::vector<violation> check_declared(std::span<const coroutine> all);

}  // namespace tare::inspect
