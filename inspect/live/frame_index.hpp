#pragma once

// The two words by which a suspended frame is recognized. Internal to inspect/.
//
// A frame begins with the addresses of the functions that resume and destroy it. Both are known from the binary, so a
// pair of them is not a coincidence. At its final suspension a frame has no resume address. In a frame that was merged
// into its caller's, the second word is the address of a function that destroys without freeing.

#include "inspect/facts/coroutine.hpp"
#include "inspect/memory/address_space.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace tare::inspect {

class frame_index {
 public:
  struct match {
    std::uint32_t coroutine = 0;
    bool ended = false;   ///< at its final suspension
    bool merged = false;  ///< part of its caller's frame
  };

  /// Adds the coroutines of a module; the first of them has the number `first`.
  void add(std::span<const coroutine> all, std::uint32_t first, std::uint64_t load_bias);
  /// Call this after the last `add`.
  void finish();

  [[nodiscard]] bool empty() const noexcept { return entries_.empty(); }

  /// Whether a word may belong to a pair: a fast check for every word.
  [[nodiscard]] bool may_be_code(std::uint64_t word) const noexcept {
    for (const auto& range : ranges_) {
      if (word - range.begin < range.bytes()) return true;
    }
    return false;
  }

  [[nodiscard]] std::optional<match> find(std::uint64_t first_word, std::uint64_t second_word) const;

 private:
  struct code_address {
    std::uint64_t address = 0;
    std::uint32_t coroutine = 0;
    bool merged = false;
    friend auto operator<=>(const code_address&, const code_address&) = default;
  };
  struct entry {
    std::uint64_t resume = 0;
    std::uint64_t destroy = 0;  ///< 0: not known
    std::uint64_t cleanup = 0;
  };
  std::vector<entry> entries_;            ///< by the coroutine's number
  std::vector<code_address> by_resume_;   ///< sorted
  std::vector<code_address> by_destroy_;  ///< sorted
  std::vector<address_range> ranges_;     ///< of code addresses, one a module
};

}  // namespace tare::inspect
