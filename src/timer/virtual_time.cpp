#include "timer/virtual_time.hpp"

#include "sched/driver.hpp"

#include <algorithm>

namespace tare::detail {

void virtual_time::idle(shard_id shard, std::optional<std::int64_t> deadline, driver* io) noexcept {
  std::unique_lock guard(lock_);
  participant& self = shards_[shard];
  if (!self.notified) {
    self.idle = true;
    self.deadline = deadline;
    self.awaits_descriptors = !deadline && io != nullptr && io->is_awaited();
    --busy_;
    self.io = io;
    advance_if_all_idle();
    if (io == nullptr) {
      wait_without_driver(guard, self);
    } else if (!self.notified) {
      wait_in_driver(guard, self, *io);
    }
    self.io = nullptr;
  }
  self.notified = false;
}

void virtual_time::wait_without_driver(std::unique_lock<std::mutex>& guard, participant& self) noexcept {
  const auto woken = [&] { return self.notified; };
  while (stalled_ && !stall_reported_) {
    if (changed_.wait_for(guard, patience_, woken)) return;
    report_stall(true);
  }
  changed_.wait(guard, woken);
}

void virtual_time::wait_in_driver(std::unique_lock<std::mutex>& guard, participant& self, driver& io) noexcept {
  const auto began = std::chrono::steady_clock::now();
  std::optional<std::chrono::nanoseconds> longest;
  if (stalled_ && !stall_reported_) longest = patience_;
  guard.unlock();
  io.wait(longest);
  guard.lock();
  if (!self.idle) return;
  if (longest && std::chrono::steady_clock::now() - began >= *longest) report_stall(true);
  self.idle = false;
  ++busy_;
}

void virtual_time::notify(shard_id shard) noexcept {
  const std::scoped_lock guard(lock_);
  participant& woken = shards_[shard];
  woken.notified = true;
  if (woken.idle) {
    woken.idle = false;
    ++busy_;
    rouse(woken);
  }
}

void virtual_time::rouse(participant& woken) noexcept {
  if (woken.io != nullptr) {
    woken.io->wake();
  } else {
    changed_.notify_all();
  }
}

void virtual_time::blocking_begins() noexcept {
  const std::scoped_lock guard(lock_);
  ++busy_;
}

void virtual_time::blocking_ends() noexcept {
  const std::scoped_lock guard(lock_);
  --busy_;
  advance_if_all_idle();
}

std::optional<std::int64_t> virtual_time::earliest_deadline() const noexcept {
  std::optional<std::int64_t> earliest;
  for (const participant& shard : shards_) {
    if (shard.deadline && (!earliest || *shard.deadline < *earliest)) earliest = shard.deadline;
  }
  return earliest;
}

void virtual_time::report_stall(bool for_long) noexcept {
  if (busy_ != 0 || !stalled_ || stall_reported_ || earliest_deadline()) return;
  const bool awaits = std::ranges::any_of(shards_, &participant::awaits_descriptors);
  stall_reported_ = stalled_({.awaits_descriptors = awaits, .for_long = for_long});
}

void virtual_time::advance_if_all_idle() noexcept {
  if (busy_ != 0) return;
  const std::optional<std::int64_t> earliest = earliest_deadline();
  if (!earliest) {
    report_stall(false);
    return;
  }
  if (*earliest > now()) now_.store(*earliest, std::memory_order_release);
  for (participant& shard : shards_) {
    if (!shard.deadline || *shard.deadline > now()) continue;
    shard.notified = true;
    shard.idle = false;
    ++busy_;
    rouse(shard);
  }
}

}  // namespace tare::detail
