#pragma once

#include <cstddef>
#include <string_view>

namespace tare::measure {

/// Finds one line in a stream of bytes that arrives in pieces. Stores nothing else, so a program may print any amount
/// before it.
///
/// The line is found when its end has arrived. Trailing whitespace is ignored, so a Windows line end is accepted.
class line_watch {
 public:
  /// `line` must outlive the object and contain no line end.
  explicit line_watch(std::string_view line) noexcept : line_(line) {}

  /// Processes the next piece; true once the line has been seen.
  bool feed(std::string_view bytes) noexcept;

 private:
  std::string_view line_;
  std::size_t matched_ = 0;
  bool possible_ = true;
  bool found_ = false;
};

}  // namespace tare::measure
