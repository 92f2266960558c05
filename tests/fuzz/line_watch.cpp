// The line is found wherever the stream is split, if and only if it is one of the lines of the whole.

#include "measure/weigh/line_watch.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace {

bool contains_line(std::string_view stream, std::string_view line) {
  for (auto end = stream.find('\n'); end != std::string_view::npos; end = stream.find('\n')) {
    const auto found = stream.substr(0, end);
    const auto last = found.find_last_not_of(" \t\r");
    if (found.substr(0, last + 1) == line) return true;
    stream.remove_prefix(end + 1);
  }
  return false;
}

}  // namespace

// The first byte selects the size of the pieces.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {  // NOLINT
  if (size == 0) return 0;
  const std::size_t piece = data[0] % 16U + 1U;
  const std::string_view stream(reinterpret_cast<const char*>(data + 1), size - 1);
  tare::measure::line_watch watch("READY");
  bool found = false;
  for (std::size_t at = 0; at < stream.size(); at += piece) {
    const bool now = watch.feed(stream.substr(at, piece));
    if (found && !now) std::abort();
    found = now;
  }
  if (found != contains_line(stream, "READY")) std::abort();
  return 0;
}
