#pragma once

// What `tare frames` found, as a table, as a list of awaits, and as JSON.

#include "inspect/coroutine/read.hpp"
#include "inspect/facts/advice_rank.hpp"

#include <span>
#include <string>

namespace tare::cli {

/// "server.cpp:42" from the folder where the command runs, "?" where it is not known.
[[nodiscard]] std::string short_place(const inspect::source_line& where);

/// The same for a table: also from further up, "../server.cpp:42", where that is shorter.
[[nodiscard]] std::string shortest_place(const inspect::source_line& where);

/// The await with the most bytes that are live or held; null if there is none.
[[nodiscard]] const inspect::await_point* fattest_await(const inspect::coroutine& of);

/// How many awaits the body has: without the suspensions before and after it.
[[nodiscard]] std::size_t body_awaits(const inspect::coroutine& of);

/// A row for each coroutine; in `width` columns of a terminal, if that is not 0.
[[nodiscard]] std::string frames_table(std::span<const inspect::coroutine> coroutines, std::size_t width = 0);

/// A paragraph for each coroutine: its awaits, and what is alive across each.
[[nodiscard]] std::string awaits_text(std::span<const inspect::coroutine> coroutines);

/// What would make the frames lighter, what is worth most first; `counts`, if they are known, say of how many frames.
[[nodiscard]] std::string advice_text(std::span<const inspect::coroutine> coroutines,
                                      const inspect::frame_counts* counts = nullptr);

/// A coroutine and all that it waits for, indented, with what the heaviest way down takes; of those that fit.
[[nodiscard]] std::string tree_text(std::span<const inspect::coroutine> coroutines, const std::string& name);

[[nodiscard]] std::string frames_json(const inspect::coroutine_report& report);

[[nodiscard]] std::string_view name_of(inspect::byte_state state);
[[nodiscard]] std::string_view name_of(inspect::field_kind kind);
[[nodiscard]] std::string_view name_of(inspect::allocation by);
[[nodiscard]] std::string_view name_of(inspect::evidence known_by);
[[nodiscard]] std::string_view name_of(inspect::suspension kind);

}  // namespace tare::cli
