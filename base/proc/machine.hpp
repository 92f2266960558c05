#pragma once

#include <string>

namespace tare::base {

/// The properties of a machine that a measurement depends on. Unknown ones are empty or 0.
struct machine {
  std::string cpu;     ///< the model's name
  unsigned cores = 0;  ///< available to this process
  std::string kernel;  ///< "Linux 6.1.0"
  /// "always", "madvise" or "never". With "always" the kernel may round memory up to 2 MiB.
  std::string transparent_huge_pages;
};

[[nodiscard]] machine this_machine();

}  // namespace tare::base
