// Any input is either results that can be written and read again, or an error that names the file.

#include "measure/race/results.hpp"

#include "fuzz/check.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

using fuzz::check;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {  // NOLINT
  using namespace tare::measure;
  const auto results = parse_results({reinterpret_cast<const char*>(data), size}, "results.json");
  if (!results) {
    check(results.error().kind == tare::base::fault::input);
    check(results.error().message.starts_with("results.json: "));
    return 0;
  }
  for (const auto& entry : results->entries) check(results->find(entry.peer) != nullptr);
  const std::string text = to_json(*results);
  const auto again = parse_results(text, "results.json");
  check(again.has_value() && to_json(*again) == text);
  return 0;
}
