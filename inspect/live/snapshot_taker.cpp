#include "inspect/live/snapshot_taker.hpp"

#include "inspect/live/group.hpp"
#include "inspect/live/rust_roots.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace tare::inspect {
namespace {

void add_notes(const found_frames& found, live_snapshot& taken) {
  if (found.inside != 0) {
    taken.notes.push_back(fmt::format(
        "{} places inside other objects look like frames and are not counted: left over, or in a pool (--pools)",
        found.inside));
  }
  if (found.skipped != 0) {
    taken.notes.push_back(fmt::format("{} regions of more than 256 GiB were not scanned", found.skipped));
  }
  if (found.heap_changed) {
    taken.notes.emplace_back(
        "the heap changed while it was read, or is not glibc's: --pause gives a consistent result");
  }
  if (taken.uncertain != 0) {
    taken.notes.push_back(
        fmt::format("{} frames are in memory of an unknown allocator: some of them may have "
                    "been freed",
                    taken.uncertain));
  }
}

}  // namespace

live_snapshot snapshot_taker::take() {
  using clock = std::chrono::steady_clock;
  live_snapshot taken;
  taken.command = known_.command;
  taken.notes = known_.notes;
  const auto began = clock::now();
  auto arenas = open_arenas(taken.notes);
  const auto found = find(arenas, taken.notes);
  taken.memory = account_for(memory_, found, arenas);
  taken.seconds = std::chrono::duration<double>(clock::now() - began).count();
  taken.scanned_bytes = found.scanned_bytes;
  taken.freed = found.freed;
  taken.left_out = found.inside;
  group(found.frames, known_.coroutines, options_.stacks, taken);
  add_notes(found, taken);
  return taken;
}

found_frames snapshot_taker::find() {
  std::vector<std::string> ignored;
  auto arenas = open_arenas(ignored);
  return find(arenas, ignored);
}

std::vector<arena> snapshot_taker::open_arenas(std::vector<std::string>& notes) const {
  std::vector<arena> arenas;
  for (const auto address : known_.arenas) {
    const auto abi = memory_.read_object<abi::arena>(address);
    if (!abi) continue;
    if (auto opened = arena::open(memory_, *abi, notes); opened) arenas.push_back(std::move(*opened));
  }
  return arenas;
}

found_frames snapshot_taker::find(std::span<arena> arenas, std::vector<std::string>& notes) const {
  const scan_options how{.waiters = options_.stacks, .pools = options_.pools};
  auto found = scan(memory_, known_.frames, known_.coroutines, arenas, how);
  if (options_.rust) add_rust_roots(arenas, found, notes);
  return found;
}

void snapshot_taker::add_rust_roots(std::span<arena> arenas, found_frames& frames,
                                    std::vector<std::string>& notes) const {
  const rust_roots_options how{.waiters = options_.stacks};
  const auto found = find_rust_roots(memory_, known_.vtables, known_.coroutines, covered_by(arenas), how);
  frames.frames.insert(frames.frames.end(), found.futures.begin(), found.futures.end());
  std::ranges::sort(frames.frames, {}, &found_frame::address);
  frames.scanned_bytes += found.scanned_bytes;
  frames.heap_changed = frames.heap_changed || found.heap_changed;
  if (found.done != 0) {
    notes.push_back(fmt::format("{} boxed futures have returned or panicked and are not dropped: they are not counted",
                                found.done));
  }
  if (found.ambiguous != 0) {
    notes.push_back(fmt::format(
        "boxes of several types point to {} of the boxed futures: some are left over, and the type is a guess",
        found.ambiguous));
  }
  if (found.too_many) notes.emplace_back("there are too many boxed futures to look at: some are not counted");
}

}  // namespace tare::inspect
