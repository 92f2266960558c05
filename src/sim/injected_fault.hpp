#pragma once

// The text of a fault: `cancel:7`, `wait`, `wait-cancel:7`, `refuse:7`, `late:7`, `file:7`, `split:3:10`,
// `reset:3:10`, `silence:3:10`.

#include "sim/play.hpp"

#include <string>
#include <string_view>

namespace tare::sim::detail {

/// Empty if there is none.
[[nodiscard]] std::string to_text(const injection& fault);
/// Throws std::invalid_argument.
[[nodiscard]] injection parse_fault(std::string_view text);
/// What the fault was, in words, and how to repeat it.
[[nodiscard]] std::string how_to_repeat(const injection& fault);

/// During its lifetime, a program that aborts names the fault.
class fault_in_progress {
 public:
  explicit fault_in_progress(const injection& fault);
  fault_in_progress(const fault_in_progress&) = delete;
  fault_in_progress& operator=(const fault_in_progress&) = delete;
  ~fault_in_progress();
  /// "" if there is none.
  [[nodiscard]] static const std::string& text() noexcept;
};

}  // namespace tare::sim::detail
