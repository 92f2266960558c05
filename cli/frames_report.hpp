#pragma once

// The result of `tare frames` as a table, as a list of awaits, and as JSON.

#include "inspect/coroutine/read.hpp"
#include "inspect/facts/advice_rank.hpp"

#include <span>
#include <string>

namespace tare::cli {

/// "server.cpp:42" relative to the working folder; "?" if it is not known.
[[nodiscard]] std::string short_place(const inspect::source_line& where);

/// The same for a table: also relative to a folder above, "../server.cpp:42", if that is shorter.
[[nodiscard]] std::string shortest_place(const inspect::source_line& where);

/// The await with the most live or held bytes; nullptr if there is none.
[[nodiscard]] const inspect::await_point* fattest_await(const inspect::coroutine& coroutine);

/// The number of awaits in the body, without the suspension points before and after it.
[[nodiscard]] std::size_t body_awaits(const inspect::coroutine& coroutine);

/// One row per coroutine. If `width` is not 0, the table fits into that many columns of a terminal.
[[nodiscard]] std::string frames_table(std::span<const inspect::coroutine> coroutines, std::size_t width = 0);

/// One paragraph per coroutine: its awaits, and what is alive across each.
[[nodiscard]] std::string awaits_text(std::span<const inspect::coroutine> coroutines);

/// Advice that would make the frames lighter, the most valuable first. `counts`, if known, says how many frames exist.
[[nodiscard]] std::string advice_text(std::span<const inspect::coroutine> coroutines,
                                      const inspect::frame_counts* counts = nullptr);

/// Each matching coroutine and all that it awaits, indented, with the bytes of the heaviest path.
[[nodiscard]] std::string tree_text(std::span<const inspect::coroutine> coroutines, const std::string& name);

[[nodiscard]] std::string frames_json(const inspect::coroutine_report& report);

[[nodiscard]] std::string_view name_of(inspect::byte_state state);
[[nodiscard]] std::string_view name_of(inspect::field_kind kind);
[[nodiscard]] std::string_view name_of(inspect::allocation allocation);
[[nodiscard]] std::string_view name_of(inspect::evidence known_by);
[[nodiscard]] std::string_view name_of(inspect::suspension kind);

}  // namespace tare::cli
