// The number of events in any input is the same however it is cut, and at most one for every six bytes.

#include "fuzz/check.hpp"
#include "load/event_counter.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

using fuzz::check;
using tare::load::event_counter;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {  // NOLINT
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  event_counter whole;
  whole.feed(text);
  constexpr std::size_t shortest_event = std::string_view("data\n\n").size();
  check(whole.count() <= size / shortest_event);
  for (const std::size_t piece : {std::size_t{1}, std::size_t{3}}) {
    event_counter in_pieces;
    for (std::size_t at = 0; at < size; at += piece) in_pieces.feed(text.substr(at, piece));
    check(in_pieces.count() == whole.count());
  }
  return 0;
}
