#pragma once

// What is known about the processor's flags, and which conditions they satisfy.

#include "inspect/machine/condition.hpp"

#include <cstdint>
#include <optional>

namespace tare::inspect {

/// What the last comparison compared, for the branch after it.
struct flags {
  enum class kind : std::uint8_t { unknown, difference, conjunction, result, bit };
  kind what = kind::unknown;
  std::uint8_t bytes = 8;
  std::optional<std::uint64_t> left;
  std::optional<std::uint64_t> right;
};

/// Whether the flags satisfy the condition; empty if that depends on something unknown.
[[nodiscard]] std::optional<bool> decide(const flags& last, condition wanted);

}  // namespace tare::inspect
