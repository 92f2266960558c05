#pragma once

// Where the unwinder enters a function after a call in it threw.

#include "inspect/object/image.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

namespace tare::inspect {

struct covered_call_sites {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::uint64_t landing_pad = 0;
};

class landing_pads {
 public:
  explicit landing_pads(const image& code) : code_(code) {}

  /// Those of the function that begins there; empty if it has none or if that cannot be read.
  [[nodiscard]] std::vector<covered_call_sites> of(std::uint64_t function) const;

 private:
  using call_site_tables = std::map<std::uint64_t, std::uint64_t>;  ///< by function
  [[nodiscard]] const call_site_tables& tables() const;

  const image& code_;
  mutable std::optional<call_site_tables> tables_;  ///< read when first asked for: .eh_frame is large
};

}  // namespace tare::inspect
