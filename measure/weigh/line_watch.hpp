#pragma once

#include <cstddef>
#include <string_view>

namespace tare::measure {

/// Looks for one line in a stream of bytes that arrives in pieces, and remembers nothing else of it, so that a program
/// may print as much as it likes before.
///
/// The line is found when its end has arrived. Blanks at its end do not count, so a Windows line end is fine.
class line_watch {
 public:
  /// `line` must outlive the object and hold no line end.
  explicit line_watch(std::string_view line) noexcept : line_(line) {}

  /// Takes the next piece; true once the line has been seen.
  bool feed(std::string_view bytes) noexcept;

 private:
  std::string_view line_;
  std::size_t matched_ = 0;
  bool possible_ = true;
  bool found_ = false;
};

}  // namespace tare::measure
