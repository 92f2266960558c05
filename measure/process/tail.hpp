#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tare::measure {

/// The last bytes of a stream.
class tail {
 public:
  explicit tail(std::size_t limit = 4096) : limit_(limit) {}

  void feed(std::string_view bytes);
  [[nodiscard]] const std::string& text() const noexcept { return kept_; }
  /// The last non-blank line, prepared for a message: without control characters, and truncated if very long.
  [[nodiscard]] std::string last_line() const;

 private:
  std::size_t limit_;
  std::string kept_;
};

}  // namespace tare::measure
