#pragma once

// Frames that are suspended together: a coroutine that waits for another one, down to the leaf.

#include "inspect/facts/coroutine.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

namespace tare::inspect {

/// Who waits for whom, as far as the calls in the binary tell: a callee that is chosen at run time is not known.
class chains {
 public:
  /// Refers to the coroutines; they must outlive it.
  explicit chains(std::span<const coroutine> all);

  /// The frames of a coroutine and of its heaviest way down, in bytes. A coroutine that waits for itself counts once.
  [[nodiscard]] std::uint64_t heaviest(std::size_t coroutine) const { return weights_[coroutine]; }
  /// The child on that way; nothing at its end.
  [[nodiscard]] std::optional<std::size_t> heaviest_child(std::size_t coroutine) const;
  /// All that it may wait for, each once.
  [[nodiscard]] const std::vector<std::size_t>& children(std::size_t coroutine) const { return children_[coroutine]; }

 private:
  std::uint64_t weigh(std::size_t root);

  std::span<const coroutine> all_;
  std::vector<std::vector<std::size_t>> children_;
  std::vector<std::uint64_t> weights_;
  std::vector<std::uint8_t> state_;  ///< 0 not weighed, 1 being weighed, 2 done
};

}  // namespace tare::inspect
