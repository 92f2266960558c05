// Any input is either an await table, all of whose places can be looked up, or an error of one line. Tests both readers
// of the section: the library's, and the command's, which can also write what it has read.

#include "fuzz/check.hpp"
#include "inspect/coroutine/await_table.hpp"

#include <tare/await_table.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace {

using fuzz::check;

/// The build id in the section itself, so that more than its first lines are tested.
std::string_view build_id_in(std::string_view section) {
  constexpr std::string_view line = "\nbuild ";
  const auto at = section.find(line);
  if (at == std::string_view::npos) return {};
  section.remove_prefix(at + line.size());
  return section.substr(0, section.find('\n'));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {  // NOLINT
  const std::string_view section(reinterpret_cast<const char*>(data), size);
  const std::string_view build_id = build_id_in(section);
  const auto coroutines = tare::inspect::parse_await_table(section, build_id);
  tare::await_table table;
  constexpr std::uintptr_t bias = 0x10000;
  const auto added = table.add(std::string(section), build_id, bias);
  check(added.has_value() == coroutines.has_value());
  if (!added) {
    check(added.error() == coroutines.error().message);
    check(!added.error().empty() && added.error().find('\n') == std::string::npos);
    check(table.empty());
    return 0;
  }
  for (const auto& each : *coroutines) {
    if (each.resume_address == 0) continue;
    // NOLINTNEXTLINE(performance-no-int-to-ptr): never followed
    const auto* const resume = reinterpret_cast<const void*>(each.resume_address + bias);
    check(table.find(resume) != nullptr && table.place(resume).has_value());
    for (const auto& await : each.awaits) {
      const auto place = table.place(resume, static_cast<std::uint32_t>(await.index));
      check(place && (place->line == 0) == (place->file.data() == nullptr));
    }
  }
  const std::string text = tare::inspect::await_table_text(*coroutines, build_id);
  const auto again = tare::inspect::parse_await_table(text, build_id);
  check(again.has_value() && again->size() <= coroutines->size());
  check(tare::inspect::await_table_text(*again, build_id) == text);
  return 0;
}
