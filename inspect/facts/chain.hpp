#pragma once

// Chains of frames that are suspended together: a coroutine awaits another one, down to the leaf.

#include "inspect/facts/coroutine.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

namespace tare::inspect {

/// Which coroutine awaits which, according to the calls in the binary: callees chosen at run time are not known.
class chains {
 public:
  /// Keeps a reference to the coroutines, which must outlive it.
  explicit chains(std::span<const coroutine> all);

  /// The bytes of a coroutine's frame and of its heaviest path. A coroutine that awaits itself counts once.
  [[nodiscard]] std::uint64_t heaviest(std::size_t coroutine) const { return weights_[coroutine]; }
  /// The child on that path; nullopt at its end.
  [[nodiscard]] std::optional<std::size_t> heaviest_child(std::size_t coroutine) const;
  /// All coroutines that it may await, without duplicates.
  [[nodiscard]] const std::vector<std::size_t>& children(std::size_t coroutine) const { return children_[coroutine]; }

 private:
  std::uint64_t weigh(std::size_t root);

  std::span<const coroutine> all_;
  std::vector<std::vector<std::size_t>> children_;
  std::vector<std::uint64_t> weights_;
  std::vector<std::uint8_t> state_;  ///< 0 not weighed, 1 being weighed, 2 done
};

}  // namespace tare::inspect
