// Any input is either a core file that can be searched, or an error of one line, whatever its memory says about heaps,
// arenas, frames and their waiters. The seeds (make_core.py) contain one of each.

#include "fuzz/check.hpp"
#include "inspect/live/arena.hpp"
#include "inspect/live/group.hpp"
#include "inspect/live/module.hpp"
#include "inspect/live/rust_roots.hpp"
#include "inspect/live/scan.hpp"
#include "inspect/memory/core_file.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace {

using fuzz::check;
using namespace tare::inspect;

// What the seeds' program would say about itself.
constexpr std::uint64_t code = 0x400000;
constexpr std::uint64_t arena_note = 0x600000;

std::vector<coroutine> make_coroutines() {
  std::vector<coroutine> all;
  for (std::uint64_t i = 0; i < 3; ++i) {
    coroutine made;
    made.name = "f" + std::to_string(i);
    made.linkage_name = made.name;
    made.made_by = i == 2 ? producer::gcc : producer::clang;
    made.frame_bytes = 48 + 16 * i;
    made.allocated_bytes = 64 + 16 * i;
    made.resume_address = code + 64 * i;
    made.destroy_address = code + 64 * i + 16;
    made.cleanup_address = code + 64 * i + 32;
    made.index_offset = 24;
    made.index_bytes = 2;
    made.awaits.resize(2);
    made.awaits[1].index = 2;
    made.links = {{.name = "continuation", .offset = 16, .telling = i == 1}};
    all.push_back(made);
  }
  return all;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {  // NOLINT
  static const std::vector<coroutine> coroutines = make_coroutines();
  const auto core = core_file::open("core", {data, size});
  if (!core) {
    check(!core.error().message.empty() && core.error().message.find('\n') == std::string::npos);
    return 0;
  }
  frame_index known;
  known.add(coroutines, 0, 0);
  known.finish();
  live_snapshot taken;
  std::vector<arena> arenas;
  if (const auto abi = (*core)->read_object<tare::abi::arena>(arena_note)) {
    if (auto opened = arena::open(**core, *abi, taken.notes)) arenas.push_back(std::move(*opened));
  }
  const auto found = scan(**core, known, coroutines, arenas, {.waiters = true, .pools = true});
  std::uint64_t last = 0;
  for (const auto& frame : found.frames) {
    check(frame.address >= last);
    last = frame.address;
  }
  group(found.frames, coroutines, true, taken);
  std::uint64_t count = 0;
  for (const auto& site : taken.sites) {
    count += site.count;
    check(site.uncertain <= site.count);
  }
  check(count == taken.frames && count == found.frames.size());
  std::uint64_t in_tree = 0;
  for (std::size_t i = 0; i < taken.stacks.size(); ++i) {
    const auto& node = taken.stacks[i];
    check(node.site < taken.sites.size());
    check(node.parent == stack_node::no_parent || node.parent < i);
    in_tree += node.count;
  }
  check(in_tree == count);
  // Any two words may also be a Rust box: here, those whose second word is the address of one of the functions.
  vtable_index vtables;
  for (std::uint32_t i = 0; i < coroutines.size(); ++i) {
    vtables.add(std::vector<future_vtable>{{.address = coroutines[i].destroy_address,
                                            .coroutine = i,
                                            .bytes = coroutines[i].frame_bytes.value_or(0),
                                            .alignment = 8}},
                0, 0);
  }
  vtables.finish();
  const auto roots = find_rust_roots(**core, vtables, coroutines, {}, {.waiters = true});
  last = 0;
  for (const auto& future : roots.futures) {
    check(future.address > last);
    last = future.address;
  }
  std::vector<std::string> notes;
  (void)find_modules(**core, {.pid = 0, .program = {}, .entry = (*core)->entry()}, notes);
  return 0;
}
