// Any input is either a snapshot that can be written, read again and compared, or an error that names the file.

#include "fuzz/check.hpp"
#include "inspect/live/compare.hpp"
#include "inspect/live/snapshot_file.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

using fuzz::check;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {  // NOLINT
  using namespace tare::inspect;
  const auto snapshot = parse_snapshot({reinterpret_cast<const char*>(data), size}, "snapshot.json");
  if (!snapshot) {
    check(snapshot.error().kind == tare::base::fault::input);
    check(snapshot.error().message.starts_with("snapshot.json: "));
    check(!snapshot.error().message.contains('\n'));
    return 0;
  }
  for (std::size_t i = 0; i < snapshot->stacks.size(); ++i) {
    const auto& node = snapshot->stacks[i];
    check(node.site < snapshot->sites.size());
    check(node.parent == stack_node::no_parent || node.parent < i);
  }
  const auto again = parse_snapshot(snapshot_json(*snapshot), "snapshot.json");
  check(again.has_value() && *again == *snapshot);
  check(std::ranges::all_of(compare(*snapshot, *again).sites, [](const changed_site& site) {
    return site.count_difference() == 0 && site.bytes_difference() == 0;
  }));
  return 0;
}
