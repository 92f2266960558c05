#pragma once

// What a program reports about itself while it is weighed: lines "key=number" on its standard output, such as
// "spawn_seconds=0.25". A key consists of lower-case letters and underscores. All other output is ignored.

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace tare::measure {

using reported_values = std::map<std::string, double, std::less<>>;

/// Accepts the output in pieces, and stores only the values and the beginning of the current line. A repeated key gets
/// its last value. At most 64 keys are stored.
class report_reader {
 public:
  void feed(std::string_view bytes);
  [[nodiscard]] const reported_values& values() const noexcept { return values_; }

 private:
  void take_line();

  static constexpr std::size_t longest_line = 128;
  static constexpr std::size_t max_keys = 64;

  std::string line_;
  bool too_long_ = false;
  reported_values values_;
};

}  // namespace tare::measure
