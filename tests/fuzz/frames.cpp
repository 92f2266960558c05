// Any input is either a binary whose coroutines satisfy their invariants, or an error of one line. The seeds are small
// object files, so most mutations change debug information and code.

#include "fuzz/check.hpp"
#include "inspect/coroutine/read.hpp"

#include <cstddef>
#include <cstdint>

using fuzz::check;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {  // NOLINT
  using namespace tare::inspect;
  const auto report = read_coroutines("input.o", {data, size});
  if (!report) {
    check(!report.error().message.empty() && report.error().message.find('\n') == std::string::npos);
    return 0;
  }
  for (const auto& note : report->notes) check(note.find('\n') == std::string::npos);
  for (const auto& each : report->coroutines) {
    for (const auto& await : each.awaits) {
      if (const auto bytes = each.frame_bytes) {
        check(await.live_bytes + await.held_bytes + await.dead_bytes == *bytes);
      }
    }
  }
  return 0;
}
