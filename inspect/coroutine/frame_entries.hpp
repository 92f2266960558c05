#pragma once

// Where a coroutine's functions continue for each suspension. Internal to inspect/coroutine/.

#include "inspect/coroutine/awaits.hpp"

#include <cstddef>
#include <vector>

namespace tare::inspect {

/// The work that following paths may take, in words of bit sets that are passed over.
class work_limit {
 public:
  explicit work_limit(unsigned atoms) : words_per_block_(atoms / 64 + 1) {}
  /// False when the limit has been exceeded.
  [[nodiscard]] bool spend(std::size_t blocks) {
    words_ += blocks * words_per_block_;
    return words_ < max_words;
  }

 private:
  static constexpr std::size_t max_words = 40'000'000;
  std::size_t words_per_block_;
  std::size_t words_ = 0;
};

/// Where the function continues when it is entered at this suspension.
[[nodiscard]] std::vector<function_flow::entry_point> entries_of(const frame_source& source, const coroutine& coroutine,
                                                                 const frame_function& function,
                                                                 const await_point& point);
/// Where g++'s actor continues when the coroutine is started.
[[nodiscard]] function_flow::entry_point first_entry(const coroutine& coroutine, const frame_function& actor);

}  // namespace tare::inspect
