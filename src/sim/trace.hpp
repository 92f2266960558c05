#pragma once

// What happened in a run, step by step, and a hash of it. Steps contain numbers that a seed determines, never an
// address.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace tare::sim::detail {

struct step {
  std::int64_t time;
  const char* what;  ///< a literal
  std::uint32_t fiber;
  std::int32_t descriptor;
  std::int64_t result;

  [[nodiscard]] bool operator==(const step& other) const noexcept;
};

class trace {
 public:
  void add(const step& next);
  [[nodiscard]] std::uint64_t hash() const noexcept { return hash_; }
  [[nodiscard]] std::size_t steps() const noexcept { return count_; }
  /// The first ones.
  [[nodiscard]] const std::vector<step>& kept() const noexcept { return kept_; }
  /// The last steps, oldest first.
  [[nodiscard]] std::vector<step> last() const;
  /// The number of the first step that differs; nullopt if none of those kept does.
  [[nodiscard]] static std::optional<std::size_t> first_difference(const trace& left, const trace& right);

 private:
  static constexpr std::size_t max_kept = std::size_t{1} << 18U;
  static constexpr std::size_t max_last = 48;

  std::vector<step> kept_;
  std::array<step, max_last> last_{};
  std::size_t count_ = 0;
  std::uint64_t hash_ = 0xcbf29ce484222325U;
};

}  // namespace tare::sim::detail
