#pragma once

// What a program says about itself while it is weighed: lines "key=number" on its standard output, such as
// "spawn_seconds=0.25". A key is of lower-case letters and underscores. Everything else that is printed is passed over.

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace tare::measure {

using reported_values = std::map<std::string, double, std::less<>>;

/// Takes the output in pieces, and remembers of it only the values and the beginning of the current line. A key that
/// comes twice has its last value. Of a program that talks without end, the first 64 keys are kept.
class report_reader {
 public:
  void feed(std::string_view bytes);
  [[nodiscard]] const reported_values& values() const noexcept { return values_; }

 private:
  void take_line();

  static constexpr std::size_t longest_line = 128;
  static constexpr std::size_t most_keys = 64;

  std::string line_;
  bool too_long_ = false;
  reported_values values_;
};

}  // namespace tare::measure
