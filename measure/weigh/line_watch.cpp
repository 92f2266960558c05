#include "measure/weigh/line_watch.hpp"

namespace tare::measure {

bool line_watch::feed(std::string_view bytes) noexcept {
  for (const char byte : bytes) {
    if (byte == '\n') {
      found_ = found_ || (possible_ && matched_ == line_.size());
      matched_ = 0;
      possible_ = true;
    } else if (matched_ < line_.size()) {
      possible_ = possible_ && byte == line_[matched_];
      ++matched_;
    } else {
      possible_ = possible_ && (byte == ' ' || byte == '\t' || byte == '\r');
    }
  }
  return found_;
}

}  // namespace tare::measure
