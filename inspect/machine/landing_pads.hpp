#pragma once

// The landing pads at which the unwinder enters a function after a call in it has thrown.

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

  /// The landing pads of the function that begins there; empty if it has none or if they cannot be read.
  [[nodiscard]] std::vector<covered_call_sites> of(std::uint64_t function) const;

 private:
  using call_site_tables = std::map<std::uint64_t, std::uint64_t>;  ///< by function
  [[nodiscard]] const call_site_tables& tables() const;

  const image& code_;
  mutable std::optional<call_site_tables> tables_;  ///< read on first use: .eh_frame is large
};

}  // namespace tare::inspect
