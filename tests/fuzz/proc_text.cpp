// The parsers of /proc accept any input, and what they return is within the text.

#include "base/proc/text.hpp"
#include "fuzz/check.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

using fuzz::check;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {  // NOLINT
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto stat = tare::base::parse_stat(text)) check(stat->parent >= 0 && text.contains(')'));
  for (const std::string_view key : {"Rss", "model name", ""}) {
    const auto value = tare::base::find_value(text, key);
    const auto kilobytes = tare::base::find_kilobytes(text, key);
    if (value)
      check(!value->contains('\n') &&
            (value->empty() || (value->data() >= text.data() && value->data() + value->size() <= text.data() + size)));
    if (kilobytes) check(value && value->ends_with(" kB") && *kilobytes % 1024 == 0);
  }
  return 0;
}
