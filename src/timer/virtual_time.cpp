#include "timer/virtual_time.hpp"

#include "sched/driver.hpp"

#include <algorithm>

namespace tare::detail {

void virtual_time::idle(unsigned shard, std::optional<std::int64_t> deadline, driver* io) noexcept {
  std::unique_lock guard(lock_);
  participant& self = shards_[shard];
  if (!self.notified) {
    self.idle = true;
    self.deadline = deadline;
    --busy_;
    self.io = io;
    advance_if_all_idle();
    if (io == nullptr) {
      changed_.wait(guard, [&] { return self.notified; });
    } else if (!self.notified) {
      guard.unlock();
      io->wait(std::nullopt);
      guard.lock();
      if (self.idle) {
        self.idle = false;
        ++busy_;
      }
    }
    self.io = nullptr;
  }
  self.notified = false;
}

void virtual_time::notify(unsigned shard) noexcept {
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

void virtual_time::advance_if_all_idle() noexcept {
  if (busy_ != 0) return;
  std::optional<std::int64_t> earliest;
  for (const participant& shard : shards_) {
    if (shard.deadline && (!earliest || *shard.deadline < *earliest)) earliest = shard.deadline;
  }
  if (!earliest) return;
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
