#pragma once

// Counts the events in the bytes of an event stream (the WHATWG's server-sent events), which come in pieces.

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tare::load {

class event_counter {
 public:
  void feed(std::string_view bytes) noexcept;
  /// Complete events: blocks of lines that end with an empty line, and have data. Comments are not events.
  [[nodiscard]] std::size_t count() const noexcept { return count_; }

 private:
  enum class line : std::uint8_t { empty, maybe_data, data, other };

  void end_line() noexcept;

  static constexpr std::string_view data_field = "data";

  std::size_t count_ = 0;
  std::size_t matched_ = 0;  ///< bytes of the line that are those of the field's name
  line line_ = line::empty;
  bool has_data_ = false;
  bool after_return_ = false;  ///< a line feed belongs to the line that has ended
};

}  // namespace tare::load
