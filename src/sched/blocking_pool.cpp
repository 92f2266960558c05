#include "sched/blocking_pool.hpp"

#include "sched/runtime_core.hpp"
#include "sched/shard.hpp"
#include "timer/virtual_time.hpp"

#include <utility>

namespace tare::detail {

namespace {

constinit thread_local const blocking_pool* pool_of_thread = nullptr;

}  // namespace

bool blocking_pool::is_worker_of(const blocking_pool& pool) noexcept { return pool_of_thread == &pool; }

blocking_pool::joined_threads::~joined_threads() {
  for (std::thread& each : list) each.join();
}

blocking_pool::~blocking_pool() {
  joined_threads all;
  {
    const std::scoped_lock guard(lock_);
    stopping_ = true;
    all.list.splice(all.list.end(), threads_);
    all.list.splice(all.list.end(), ended_);
  }
  changed_.notify_all();
}

void blocking_pool::start_thread() {
  std::list<std::thread> started(1);
  const auto self = started.begin();
  *self = std::thread([this, self] { work(self); });  // which waits for the lock
  threads_.splice(threads_.end(), started);
  live_threads_.store(threads_.size(), std::memory_order_release);
}

void blocking_pool::add(blocking_call& call) {
  joined_threads ended;  // however this ends
  {
    const std::scoped_lock guard(lock_);
    ended.list.swap(ended_);
    if (queued_ >= idle_ && threads_.size() < max_threads_) {
      try {
        start_thread();
      } catch (...) {
        if (threads_.empty()) throw;  // otherwise the running threads will get to it
      }
    }
    call.queued = true;
    call.later = nullptr;
    call.earlier = last_;
    (last_ == nullptr ? first_ : last_->later) = &call;
    last_ = &call;
    ++queued_;
    if (simulated_ != nullptr) simulated_->blocking_begins();
  }
  changed_.notify_one();
}

void blocking_pool::unqueue(blocking_call& call) noexcept {
  (call.earlier == nullptr ? first_ : call.earlier->later) = call.later;
  (call.later == nullptr ? last_ : call.later->earlier) = call.earlier;
  call.queued = false;
  --queued_;
}

bool blocking_pool::take_back(blocking_call& call) noexcept {
  {
    const std::scoped_lock guard(lock_);
    if (!call.queued) return false;
    unqueue(call);
  }
  if (simulated_ != nullptr) simulated_->blocking_ends();
  return true;
}

void blocking_pool::work(std::list<std::thread>::iterator self) {
  pool_of_thread = this;
  std::unique_lock guard(lock_);
  for (;;) {
    if (first_ == nullptr && !stopping_) {
      ++idle_;
      changed_.wait_for(guard, idle_limit_, [this] { return first_ != nullptr || stopping_; });
      --idle_;
    }
    if (first_ == nullptr) break;
    blocking_call& call = *first_;
    unqueue(call);
    guard.unlock();
    call.run(call);
    wake(call);  // the call may be destroyed after this
    if (simulated_ != nullptr) simulated_->blocking_ends();
    guard.lock();
  }
  // During shutdown, the destructor has taken the handle.
  if (stopping_) return;
  ended_.splice(ended_.end(), threads_, self);
  live_threads_.store(threads_.size(), std::memory_order_release);
}

std::size_t blocking_pool::threads() const {
  const std::scoped_lock guard(lock_);
  return threads_.size();
}

bool take_back(blocking_call& call) noexcept { return shard::current().runtime().blocking().take_back(call); }

void start_blocking(blocking_call& call, wait_state& waiting) {
  call.begin(waiting);
  try {
    shard::current().runtime().blocking().add(call);
  } catch (...) {
    call.end();
    throw;
  }
}

}  // namespace tare::detail
