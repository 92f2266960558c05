#pragma once

// Memory with content that a test defines.

#include "inspect/memory/address_space.hpp"

#include <algorithm>
#include <cstring>
#include <deque>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace live_test {

/// Bytes of one.
inline constexpr std::uint64_t word = 8;

class made_up_memory final : public tare::inspect::address_space {
 public:
  /// Adds readable and writable memory; by address.
  std::vector<std::uint64_t>& add(std::uint64_t address, std::size_t words, std::string path = {}) {
    regions_.push_back({.where = {.begin = address, .end = address + words * 8},
                        .readable = true,
                        .writable = true,
                        .path = std::move(path)});
    return contents_.emplace_back(words, 0);
  }
  /// Removes everything that was added.
  void forget() {
    regions_.clear();
    contents_.clear();
  }
  void set_stack(std::uint64_t pointer, std::uint64_t end) { stacks_.push_back({.begin = pointer, .end = end}); }

  [[nodiscard]] std::span<const tare::inspect::memory_region> regions() const noexcept override { return regions_; }
  [[nodiscard]] std::size_t read(std::uint64_t address, std::span<std::byte> into) const override {
    for (std::size_t i = 0; i < regions_.size(); ++i) {
      const auto& where = regions_[i].where;
      if (!where.contains(address)) continue;
      const auto bytes = std::min<std::uint64_t>(into.size(), where.end - address);
      std::memcpy(into.data(), reinterpret_cast<const std::byte*>(contents_[i].data()) + (address - where.begin),
                  bytes);
      return bytes;
    }
    return 0;
  }
  [[nodiscard]] std::vector<tare::inspect::address_range> present(
      const tare::inspect::memory_region& of) const override {
    return {of.where};
  }
  [[nodiscard]] std::vector<tare::inspect::address_range> stacks() const override { return stacks_; }

 private:
  std::vector<tare::inspect::memory_region> regions_;
  std::deque<std::vector<std::uint64_t>> contents_;  ///< a deque: `add` gives out references
  std::vector<tare::inspect::address_range> stacks_;
};

}  // namespace live_test
