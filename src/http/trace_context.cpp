#include <tare/http/trace_context.hpp>

#include <tare/detail/random.hpp>

#include <algorithm>
#include <cstddef>
#include <span>

namespace tare::http {

constinit const task_local<trace_context> current_trace;

namespace {

void fill_at_random(std::span<std::uint8_t> bytes) noexcept {
  // All zeros means that there is none.
  do {
    for (std::uint8_t& each : bytes) each = static_cast<std::uint8_t>(tare::detail::random_below(256));
  } while (std::ranges::all_of(bytes, [](std::uint8_t each) { return each == 0; }));
}

/// -1 for anything but a lowercase digit.
int digit_of(char text) noexcept {
  if (text >= '0' && text <= '9') return text - '0';
  if (text >= 'a' && text <= 'f') return text - 'a' + 10;
  return -1;
}

/// False if the text is not a number other than 0 of that size.
bool read_number(std::string_view text, std::span<std::uint8_t> buffer) noexcept {
  bool is_zero = true;
  for (std::size_t i = 0; i < buffer.size(); ++i) {
    const int high = digit_of(text[2 * i]);
    const int low = digit_of(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    buffer[i] = static_cast<std::uint8_t>(high * 16 + low);
    is_zero &= buffer[i] == 0;
  }
  return !is_zero;
}

std::string text_of(std::span<const std::uint8_t> bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const std::uint8_t each : bytes) {
    text += digits[each / 16U];
    text += digits[each % 16U];
  }
  return text;
}

}  // namespace

trace_context trace_context::make(bool sampled) {
  trace_context made{.sampled = sampled};
  fill_at_random(made.trace_id);
  fill_at_random(made.span_id);
  return made;
}

trace_context trace_context::child() const {
  trace_context made = *this;
  fill_at_random(made.span_id);
  return made;
}

std::optional<trace_context> parse_traceparent(std::string_view value) noexcept {
  // "00-" 32 digits "-" 16 digits "-" 2 digits; a later version may continue after another "-".
  constexpr std::size_t size = 55;
  if (value.size() < size || value[2] != '-' || value[35] != '-' || value[52] != '-') return std::nullopt;
  const int version_high = digit_of(value[0]);
  const int version_low = digit_of(value[1]);
  if (version_high < 0 || version_low < 0) return std::nullopt;
  const int version = version_high * 16 + version_low;
  constexpr int forbidden = 0xFF;
  if (version == forbidden || (version == 0 && value.size() != size)) return std::nullopt;
  if (value.size() > size && value[size] != '-') return std::nullopt;
  trace_context parsed;
  if (!read_number(value.substr(3, 32), parsed.trace_id) || !read_number(value.substr(36, 16), parsed.span_id)) {
    return std::nullopt;
  }
  const int flags_high = digit_of(value[53]);
  const int flags_low = digit_of(value[54]);
  if (flags_high < 0 || flags_low < 0) return std::nullopt;
  parsed.sampled = flags_low % 2 == 1;
  return parsed;
}

std::string trace_id_text(const trace_context& context) { return text_of(context.trace_id); }
std::string span_id_text(const trace_context& context) { return text_of(context.span_id); }

std::string traceparent_of(const trace_context& context) {
  return "00-" + trace_id_text(context) + "-" + span_id_text(context) + (context.sampled ? "-01" : "-00");
}

}  // namespace tare::http
