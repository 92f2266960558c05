#pragma once

#include <string>

namespace tare::base {

/// What a measurement depends on besides the program. What cannot be found out is empty or 0.
struct machine {
  std::string cpu;     ///< The model's name.
  unsigned cores = 0;  ///< That this process may run on.
  std::string kernel;  ///< "Linux 6.1.0"
  /// "always", "madvise" or "never". With "always" the kernel rounds memory up to 2 MiB where it sees fit.
  std::string transparent_huge_pages;
};

[[nodiscard]] machine this_machine();

}  // namespace tare::base
