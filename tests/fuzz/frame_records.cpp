// Any input is a list of records that satisfy their invariants, and a number of records that do not.

#include "fuzz/check.hpp"
#include "inspect/coroutine/compiler_record.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

using fuzz::check;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {  // NOLINT
  using namespace tare::inspect;
  compiler_records records;
  records.add({reinterpret_cast<const char*>(data), size});
  check(records.size() + records.refused() <= size / 2 + 1);
  for (const auto& [name, current] : records) {
    check(!name.empty() && name == current.coroutine && current.frame_bytes > 0 && current.alignment > 0);
    for (const auto& place : current.places) {
      check(place.bytes > 0 && place.offset + place.bytes <= current.frame_bytes);
      check(place.states.empty() || place.states.size() == current.awaits.size());
    }
  }
  return 0;
}
