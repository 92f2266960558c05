#include "sched/shard_meter.hpp"

#include "frame/frame_walk.hpp"
#include "sched/suspend_index.hpp"

#include <tare/detail/promise.hpp>
#include <tare/detail/shard_state.hpp>

#include <algorithm>
#include <chrono>
#include <thread>

namespace tare::detail {

namespace {

/// For figures that only one thread writes.
template <class T>
void add_to(std::atomic<T>& sum, T by) noexcept {
  sum.store(sum.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
}

std::size_t count_ready(const run_queue& ready) noexcept {
  constexpr std::size_t max_counted = 65'536;
  std::size_t count = 0;
  for (link at = ready.head(); at != no_link && count < max_counted; at = from_link<wait_state>(at)->next) ++count;
  return count;
}

}  // namespace

void duration_meter::add(std::int64_t nanoseconds) noexcept {
  const auto& bounds = duration_counts::bounds;
  const auto bucket = std::ranges::lower_bound(bounds, std::chrono::nanoseconds(nanoseconds)) - bounds.begin();
  add_to(buckets_[static_cast<std::size_t>(bucket)], std::uint64_t{1});
  add_to(sum_, nanoseconds);
}

void duration_meter::clear() noexcept {
  for (auto& each : buckets_) each.store(0, std::memory_order_relaxed);
  sum_.store(0, std::memory_order_relaxed);
}

duration_counts duration_meter::counts() const noexcept {
  duration_counts all;
  for (std::size_t i = 0; i < buckets_.size(); ++i) all.buckets[i] = buckets_[i].load(std::memory_order_relaxed);
  all.sum = std::chrono::nanoseconds(sum_.load(std::memory_order_relaxed));
  return all;
}

std::int64_t shard_meter::now() noexcept {
  return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void shard_meter::begin(const await_table* awaits) noexcept {
  slices_.clear();
  timers_.clear();
  asleep_ = 0;
  asleep_since_ = 0;
  longest_slice_ = 0;
  longest_slice_resume_ = nullptr;
  latest_timer_ = 0;
  queued_ = 0;
  slice_began_ = 0;
  began_ = now();
  awaits_ = awaits;
}

void shard_meter::end() noexcept {
  awaits_ = nullptr;
  while (reads_table_) std::this_thread::yield();
}

void shard_meter::round_begins(const run_queue& ready) noexcept {
  constexpr std::int64_t period = 100'000'000;
  const std::int64_t present = now();
  if (present - counted_at_ < period) return;
  counted_at_ = present;
  queued_.store(count_ready(ready), std::memory_order_relaxed);
}

void shard_meter::slice_begins(const wait_state& task) noexcept {
  const std::int64_t present = now();
  close_slice(present);
  const auto* const frame = static_cast<const std::byte*>(handle_of(const_cast<wait_state&>(task)).address());
  frame_glance seen{};
  (void)glance(frame, seen);
  const std::uint32_t index = suspend_index_in(frame, seen.resume);
  add_to(number_, std::uint64_t{1});
  std::atomic_thread_fence(std::memory_order_release);
  slice_began_.store(present, std::memory_order_relaxed);
  slice_resume_.store(seen.resume, std::memory_order_relaxed);
  slice_index_.store(index, std::memory_order_relaxed);
  number_.store(number_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
}

void shard_meter::slices_end() noexcept {
  close_slice(now());
  slice_began_.store(0, std::memory_order_relaxed);
}

void shard_meter::close_slice(std::int64_t at) noexcept {
  const std::int64_t began = slice_began_.load(std::memory_order_relaxed);
  if (began == 0) return;
  const std::int64_t lasted = at - began;
  slices_.add(lasted);
  if (lasted <= longest_slice_.load(std::memory_order_relaxed)) return;
  longest_slice_resume_.store(slice_resume_.load(std::memory_order_relaxed), std::memory_order_relaxed);
  longest_slice_.store(lasted, std::memory_order_relaxed);
}

void shard_meter::sleep_ends() noexcept {
  const std::int64_t since = asleep_since_.load(std::memory_order_relaxed);
  if (since == 0) return;  // the watch began meanwhile
  add_to(asleep_, now() - since);
  asleep_since_.store(0, std::memory_order_relaxed);
}

void shard_meter::timers_expired(std::int64_t late_by) noexcept {
  timers_.add(late_by);
  if (late_by > latest_timer_.load(std::memory_order_relaxed)) latest_timer_.store(late_by, std::memory_order_relaxed);
}

std::uint32_t shard_meter::suspend_index_in(const std::byte* frame, const void* resume) noexcept {
  if (awaits_.load(std::memory_order_relaxed) == nullptr) return no_index;
  reads_table_ = true;  // sequentially consistent, as in `end`: either that waits, or this sees no table
  std::uint32_t index = no_index;
  if (const await_table* const table = awaits_; table != nullptr) {
    if (const auto* const of = table->find(resume); of != nullptr)
      index = suspend_index_of(frame, *of).value_or(no_index);
  }
  reads_table_ = false;
  return index;
}

shard_figures shard_meter::figures() const noexcept {
  const std::int64_t present = now();
  const std::int64_t began = began_.load(std::memory_order_relaxed);
  std::int64_t asleep = asleep_.load(std::memory_order_relaxed);
  if (const std::int64_t since = asleep_since_.load(std::memory_order_relaxed); since != 0) asleep += present - since;
  shard_figures all;
  all.watched = std::chrono::nanoseconds(present - began);
  all.asleep = std::clamp(std::chrono::nanoseconds(asleep), std::chrono::nanoseconds(0), all.watched);
  all.slices = slices_.counts();
  all.longest_slice = std::chrono::nanoseconds(longest_slice_.load(std::memory_order_relaxed));
  all.longest_slice_resume = longest_slice_resume_.load(std::memory_order_relaxed);
  all.timers = timers_.counts();
  all.latest_timer = std::chrono::nanoseconds(latest_timer_.load(std::memory_order_relaxed));
  all.queued = queued_.load(std::memory_order_relaxed);
  return all;
}

shard_meter::slice shard_meter::current_slice() const noexcept {
  const std::uint64_t number = number_.load(std::memory_order_acquire);
  slice found{.number = number,
              .began = slice_began_.load(std::memory_order_relaxed),
              .resume = slice_resume_.load(std::memory_order_relaxed),
              .suspend_index = {}};
  if (const std::uint32_t index = slice_index_.load(std::memory_order_relaxed); index != no_index) {
    found.suspend_index = index;
  }
  std::atomic_thread_fence(std::memory_order_acquire);
  const bool is_whole = number % 2 == 0 && number_.load(std::memory_order_relaxed) == number;
  return is_whole && found.began != 0 ? found : slice{};
}

}  // namespace tare::detail
