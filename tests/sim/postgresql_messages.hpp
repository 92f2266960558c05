#pragma once

// Messages of PostgreSQL's protocol, version 3, as a server reads and writes them.

#include "db/scripted_postgresql.hpp"

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace tare::testing {

using db_test::message;
using db_test::number;

[[nodiscard]] inline std::string short_number(std::uint16_t value) {
  return {static_cast<char>(value >> 8U), static_cast<char>(value & 255U)};
}

[[nodiscard]] inline std::string with_nul(std::string_view text) { return std::string(text) + '\0'; }

/// A notice ('N') or an error ('E').
[[nodiscard]] inline std::string report_message(char kind, std::string_view severity, std::string_view code,
                                                std::string_view text) {
  return message(
      kind, "S" + with_nul(severity) + "V" + with_nul(severity) + "C" + with_nul(code) + "M" + with_nul(text) + '\0');
}

/// Of one column of type text.
[[nodiscard]] inline std::string row_description() {
  constexpr std::uint32_t text_type = 25;
  return message('T', short_number(1) + with_nul("value") + number(0) + short_number(0) + number(text_type) +
                          short_number(0xffff) + number(0xffffffff) + short_number(0));
}

[[nodiscard]] inline std::string data_row(std::string_view value) {
  return message('D', short_number(1) + number(static_cast<std::uint32_t>(value.size())) + std::string(value));
}

/// Takes a client's message apart. Throws std::out_of_range if it is too short.
class message_reader {
 public:
  explicit message_reader(std::string_view body) noexcept : left_(body) {}

  [[nodiscard]] std::string_view take(std::size_t size) {
    if (size > left_.size()) throw std::out_of_range("a message of the client is too short");
    const std::string_view taken = left_.substr(0, size);
    left_.remove_prefix(size);
    return taken;
  }
  [[nodiscard]] std::uint32_t take_number(std::size_t size = 4) {
    std::uint32_t value = 0;
    for (const char each : take(size)) value = value << 8U | static_cast<unsigned char>(each);
    return value;
  }
  [[nodiscard]] std::string take_text() {
    const std::size_t end = left_.find('\0');
    if (end == std::string_view::npos) throw std::out_of_range("a text of the client does not end");
    const std::string text(take(end));
    (void)take(1);
    return text;
  }

 private:
  std::string_view left_;
};

/// The statement's name and the values in a Bind message.
struct bind_message {
  explicit bind_message(std::string_view body) {
    message_reader reading(body);
    (void)reading.take_text();  // the portal
    statement = reading.take_text();
    const std::uint32_t formats = reading.take_number(2);
    (void)reading.take(std::size_t{2} * formats);
    const std::uint32_t count = reading.take_number(2);
    for (std::uint32_t i = 0; i < count; ++i) {
      const std::uint32_t size = reading.take_number();
      values.emplace_back(size == 0xffffffff ? std::string_view() : reading.take(size));
    }
  }

  std::string statement;
  std::vector<std::string> values;
};

}  // namespace tare::testing
