// Any input gives the same values in pieces of any size: a limited number of numbers with lower-case keys.

#include "measure/weigh/reported.hpp"

#include "fuzz/check.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>

using fuzz::check;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {  // NOLINT
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  tare::measure::report_reader whole;
  whole.feed(bytes);
  tare::measure::report_reader pieces;
  for (const char& byte : bytes) pieces.feed({&byte, 1});
  check(whole.values() == pieces.values());
  check(whole.values().size() <= 64);
  for (const auto& [key, value] : whole.values()) {
    check(std::isfinite(value) && !key.empty());
    check(std::ranges::all_of(key, [](char c) { return c == '_' || (c >= 'a' && c <= 'z'); }));
  }
  return 0;
}
