// What a shard does when nothing is due: it returns memory, and sleeps until something is.

#include "sched/poll_descriptor.hpp"
#include "sched/runtime_core.hpp"
#include "sched/shard.hpp"
#include "sched/shard_meter.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>

namespace tare::detail {

namespace {

// Minimum time between two occasions on which an idle shard returns memory, in nanoseconds.
constexpr std::int64_t trim_period = 10'000'000;

std::optional<std::int64_t> earlier(std::optional<std::int64_t> deadline, std::int64_t limit) noexcept {
  if (limit == never) return deadline;
  return std::min(deadline.value_or(limit), limit);
}

}  // namespace

bool shard::is_trimmed() const noexcept { return heap_.is_trimmed() && (io == nullptr || io->is_trimmed()); }

void shard::trim() noexcept {
  if (io != nullptr) io->trim();  // first, because it returns memory to the heap
  heap_.trim();
}

std::optional<std::int64_t> shard::next_timer() noexcept {
  const std::optional<std::uint64_t> next = timers_.next_tick();
  if (!next || *next >= never_tick) return std::nullopt;
  return static_cast<std::int64_t>(*next) * nanoseconds_per_tick;
}

std::optional<std::int64_t> shard::rest() noexcept {
  const std::optional<std::int64_t> timer = next_timer();
  if (is_trimmed()) return timer;
  // Work that arrives in small portions finds its memory still there.
  const std::int64_t present = clock_.now();
  if (present < next_trim_) return std::min(timer.value_or(INT64_MAX), next_trim_);
  trim();
  next_trim_ = present + trim_period;
  return timer;
}

void shard::begin_absence() noexcept {
  if (shard_meter* const meter = meter_.load(std::memory_order_acquire); meter != nullptr) meter->sleep_begins();
}

void shard::end_absence() noexcept {
  if (shard_meter* const meter = meter_.load(std::memory_order_acquire); meter != nullptr) meter->sleep_ends();
}

bool shard::run_once() noexcept {
  end_stand_by();
  end_absence();
  return turn();
}

void shard::stand_by() noexcept {
  (void)rest();
  begin_absence();
}

bool shard::stand_by(poll_descriptor& wakes) noexcept {
  if (io != nullptr) {
    io->poll();  // which also submits what the last tasks have asked for
    if (!ready.empty() || io->has_to_retry() || !wakes.watch(io->native_handle())) return false;
  }
  const std::optional<std::int64_t> deadline = rest();
  if (deadline && *deadline <= clock_.now()) return false;
  if (!wakes.set_timer(deadline)) return false;
  if (io == nullptr) woken_by_.store(&wakes, std::memory_order_release);
  if (parker_.begin_sleep()) {
    begin_absence();
    return true;
  }
  end_stand_by();
  return false;
}

void shard::end_stand_by() noexcept {
  parker_.end_sleep();
  if (io == nullptr) woken_by_.store(nullptr, std::memory_order_release);
}

void shard::wait_measured(std::int64_t limit) noexcept {
  begin_absence();
  wait_for_work(limit);
  end_absence();
}

void shard::wait_for_work(std::int64_t limit) noexcept {
  if (virtual_time* simulated = runtime_.simulated_time(); simulated != nullptr) {
    const std::optional<std::int64_t> deadline = earlier(next_timer(), limit);
    trim();
    if (io != nullptr) {
      io->poll();
      if (!ready.empty()) return;
    }
    if (io == nullptr) {
      const heap::rest resting(heap_);
      simulated->idle(number_, deadline, nullptr);
    } else {
      simulated->idle(number_, deadline, io);
    }
    return;
  }
  const std::optional<std::int64_t> deadline = earlier(rest(), limit);
  std::optional<std::chrono::nanoseconds> longest;
  if (deadline) {
    const std::int64_t left = *deadline - clock_.now();
    if (left <= 0) return;
    longest = std::chrono::nanoseconds(left);
  }
  if (io == nullptr) {
    const heap::rest resting(heap_);
    parker_.park(longest);
    return;
  }
  parker_.park_in([&] {
    io->wait(longest);
    events_taken_ = true;
  });
}

}  // namespace tare::detail
