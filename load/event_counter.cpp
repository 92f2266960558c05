#include "load/event_counter.hpp"

namespace tare::load {

void event_counter::feed(std::string_view bytes) noexcept {
  for (const char c : bytes) {
    const bool second_half = after_return_ && c == '\n';
    after_return_ = c == '\r';
    if (second_half) continue;
    if (c == '\r' || c == '\n') {
      end_line();
      continue;
    }
    if (line_ == line::empty) line_ = line::maybe_data;
    if (line_ != line::maybe_data) continue;
    if (matched_ == data_field.size()) {
      line_ = c == ':' ? line::data : line::other;
    } else if (c == data_field[matched_]) {
      ++matched_;
    } else {
      line_ = line::other;
    }
  }
}

void event_counter::end_line() noexcept {
  if (line_ == line::empty) {
    if (has_data_) ++count_;
    has_data_ = false;
  } else if (line_ == line::data || (line_ == line::maybe_data && matched_ == data_field.size())) {
    has_data_ = true;
  }
  line_ = line::empty;
  matched_ = 0;
}

}  // namespace tare::load
