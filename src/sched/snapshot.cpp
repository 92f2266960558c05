#include <tare/snapshot.hpp>

#include "frame/arena.hpp"
#include "frame/frame_walk.hpp"
#include "frame/heap.hpp"
#include "sched/runtime_core.hpp"
#include "sched/shard.hpp"
#include "sched/snapshot_at_rest.hpp"
#include "sched/suspend_index.hpp"

#include <tare/await_table.hpp>
#include <tare/detail/wait_state.hpp>
#include <tare/scope.hpp>
#include <tare/sleep.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <limits>
#include <mutex>
#include <numeric>
#include <tuple>
#include <unordered_map>
#include <utility>

namespace tare {

namespace {

using detail::frame_glance;
using detail::wait_kind;
using detail::wait_state;

constexpr std::size_t max_groups = 4096;

/// The part of a frame's wait state that is in `last_word`: all but the two links at its beginning.
wait_state wait_state_in(const frame_glance& seen) noexcept {
  constexpr std::size_t missing = sizeof(detail::list_links);
  static_assert(detail::promise_offset + missing == 24, "the rest is not in the fourth word");
  wait_state state;
  std::memcpy(reinterpret_cast<std::byte*>(&state) + missing, &seen.last_word, sizeof(state) - missing);
  return state;
}

awaited awaited_by(const frame_glance& seen) noexcept {
  if (seen.resume == nullptr) return awaited::end;
  const wait_state state = wait_state_in(seen);
  if (state.asleep) return awaited::timer;
  switch (state.kind()) {
    case wait_kind::none:
      // A task that has been awaited or spawned has a parent, unless it is detached.
      return state.parent == detail::no_link ? awaited::start : awaited::nothing;
    case wait_kind::delivered:
      return awaited::nothing;
    case wait_kind::fresh:
    case wait_kind::ready:
    case wait_kind::ready_cancelled:
    case wait_kind::ready_io:
    case wait_kind::ready_failed:
      return awaited::turn;
    case wait_kind::child:
    case wait_kind::shielded_child:
      return awaited::child;
    case wait_kind::node:
      return awaited::primitive;
    case wait_kind::io:
      return awaited::descriptor;
    default:
      return awaited::unknown;
  }
}

constexpr std::uint32_t no_index = std::numeric_limits<std::uint32_t>::max();

/// The value of the suspend index. Its offset may be anywhere in the frame, or beyond it if the table is from another
/// program.
std::uint32_t suspend_index_in(const frame_glance& seen, std::size_t frame_bytes,
                               const abi::await_section::coroutine& of) noexcept {
  if (std::size_t{of.index_offset} + of.index_bytes > frame_bytes) return no_index;
  return detail::suspend_index_of(seen.place, of).value_or(no_index);
}

struct group_key {
  const void* resume;
  std::size_t frame_bytes;
  std::uint32_t suspend_index;
  awaited waiting_for;

  friend bool operator==(const group_key&, const group_key&) = default;
};

struct group_hash {
  std::size_t operator()(const group_key& of) const noexcept {
    return std::hash<const void*>()(of.resume) * 31 + of.frame_bytes * 16 + std::size_t{of.suspend_index} * 1021 +
           std::to_underlying(of.waiting_for);
  }
};

using group_counts = std::unordered_map<group_key, std::size_t, group_hash>;

/// The tally of one heap.
struct tally {
  const await_table* awaits = nullptr;
  walked_heap figures;
  group_counts counts;
  std::size_t ungrouped = 0;

  void enter(const detail::slab& of) noexcept { figures.live_bytes += std::size_t{of.used} * of.object_bytes; }

  void see(const frame_glance& frame, std::size_t bytes) {
    ++figures.frames;
    figures.frame_bytes += bytes;
    const awaited waiting_for = awaited_by(frame);
    const group_key key{.resume = frame.resume,
                        .frame_bytes = bytes,
                        .suspend_index = suspend_index(frame, bytes, waiting_for),
                        .waiting_for = waiting_for};
    // Neighboring frames are usually identical.
    if (newest_ == nullptr || newest_->first != key) newest_ = group_of(key);
    ++(newest_ != nullptr ? newest_->second : ungrouped);
  }

 private:
  /// `no_index` if it is meaningless: a running coroutine has left the suspension point that its index names.
  std::uint32_t suspend_index(const frame_glance& frame, std::size_t bytes, awaited waiting_for) noexcept {
    if (awaits == nullptr || waiting_for == awaited::nothing || waiting_for == awaited::end ||
        waiting_for == awaited::unknown) {
      return no_index;
    }
    if (frame.resume != last_resume_) {
      last_resume_ = frame.resume;
      last_coroutine_ = awaits->find(frame.resume);
    }
    return last_coroutine_ == nullptr ? no_index : suspend_index_in(frame, bytes, *last_coroutine_);
  }

  group_counts::value_type* group_of(const group_key& key) {
    if (counts.size() < max_groups) return &*counts.try_emplace(key).first;
    const auto found = counts.find(key);
    return found != counts.end() ? &*found : nullptr;
  }

  group_counts::value_type* newest_ = nullptr;
  const void* last_resume_ = nullptr;
  const abi::await_section::coroutine* last_coroutine_ = nullptr;
};

/// One portion: true when the whole heap has been walked. `lock` is nullptr for the heap of the current shard.
bool walk_a_portion(detail::frame_walk& walk, const detail::heap& walked, detail::heap* lock,
                    std::chrono::nanoseconds longest, tally& to) {
  const auto began = std::chrono::steady_clock::now();  // not the shard's clock, which may be virtual
  const auto taken = [began] { return std::chrono::steady_clock::now() - began; };
  bool done = false;
  {
    std::unique_lock<detail::heap> guard;
    if (lock != nullptr) guard = std::unique_lock(*lock);
    done = walk.go_on(to, [&] { return taken() >= longest; });
    to.figures.held_bytes = walked.held_bytes();
  }
  ++to.figures.pauses;
  to.figures.longest_pause = std::max<std::chrono::nanoseconds>(to.figures.longest_pause, taken());
  return done;
}

task<> walk_heap(const detail::heap& walked, detail::heap* lock, std::chrono::nanoseconds longest, tally& to) {
  detail::frame_walk walk(walked.number());
  while (!walk_a_portion(walk, walked, lock, longest, to)) co_await yield();
}

task_snapshot summed(const std::vector<tally>& tallies) {
  task_snapshot sum;
  group_counts all;
  for (const tally& each : tallies) {
    sum.shards.push_back(each.figures);
    sum.ungrouped += each.ungrouped;
    for (const auto& [key, count] : each.counts) {
      if (all.size() < max_groups || all.contains(key)) {
        all[key] += count;
      } else {
        sum.ungrouped += count;
      }
    }
  }
  sum.outside = sum.shards.back();
  sum.shards.pop_back();
  sum.groups.reserve(all.size());
  for (const auto& [key, count] : all) {
    frame_group& group = sum.groups.emplace_back();
    group.resume = key.resume;
    group.waiting_for = key.waiting_for;
    if (key.suspend_index != no_index) group.suspend_index = key.suspend_index;
    group.frame_bytes = key.frame_bytes;
    group.count = count;
  }
  // Then by address, so that equal groups have a stable order.
  const auto weight = [](const frame_group& of) {
    return std::tuple(of.total_bytes(), of.count, of.resume, of.waiting_for, of.suspend_index);
  };
  std::ranges::sort(sum.groups, std::ranges::greater(), weight);
  return sum;
}

}  // namespace

std::string_view name_of(awaited what) noexcept {
  constexpr std::array<std::string_view, awaited_count> names{"start",      "turn",      "nothing", "timer",  "child",
                                                              "descriptor", "primitive", "end",     "unknown"};
  static_assert(std::to_underlying(awaited::unknown) + 1 == awaited_count);
  return names.at(std::to_underlying(what));
}

task<task_snapshot> snapshot(snapshot_options options) {
  detail::runtime_core& runtime = detail::shard::current().runtime();
  detail::arena& memory = detail::arena::instance();
  const auto shards = static_cast<shard_id>(runtime.shard_count());
  std::vector<tally> tallies(shards + 1);  // the last is for the shared heap
  for (tally& each : tallies) each.awaits = options.awaits;
  auto walk_all = [&](scope& walks) -> task<> {
    for (shard_id number = 0; number < shards; ++number) {
      const detail::heap& walked = runtime.shard_at(number).frames();
      walks.spawn_on(number, walk_heap(walked, nullptr, options.longest_pause, tallies[number]));
    }
    walks.spawn(walk_heap(memory.shared_heap(), &memory.shared_heap(), options.longest_pause, tallies[shards]));
    co_return;
  };
  co_await with_scope(walk_all);
  co_return summed(tallies);
}

task_snapshot detail::snapshot_at_rest(runtime_core& runtime) {
  arena& memory = arena::instance();
  std::vector<tally> tallies(runtime.shard_count() + 1);
  constexpr auto without_pause = std::chrono::nanoseconds::max();
  const auto walk = [&](const heap& walked, heap* lock, tally& to) {
    frame_walk steps(walked.number());
    while (!walk_a_portion(steps, walked, lock, without_pause, to)) {
    }
  };
  for (shard_id number = 0; number < runtime.shard_count(); ++number) {
    walk(runtime.shard_at(number).frames(), nullptr, tallies[number]);
  }
  walk(memory.shared_heap(), &memory.shared_heap(), tallies.back());
  return summed(tallies);
}

std::size_t task_snapshot::frames() const noexcept {
  return std::accumulate(shards.begin(), shards.end(), outside.frames,
                         [](std::size_t sum, const walked_heap& each) { return sum + each.frames; });
}

std::size_t task_snapshot::frame_bytes() const noexcept {
  return std::accumulate(shards.begin(), shards.end(), outside.frame_bytes,
                         [](std::size_t sum, const walked_heap& each) { return sum + each.frame_bytes; });
}

std::chrono::nanoseconds task_snapshot::longest_pause() const noexcept {
  std::chrono::nanoseconds longest = outside.longest_pause;
  for (const walked_heap& each : shards) longest = std::max(longest, each.longest_pause);
  return longest;
}

}  // namespace tare
