#include <tare/memory_budget.hpp>

#include "frame/resident_memory.hpp"

#include <tare/detail/shard_state.hpp>
#include <tare/sleep.hpp>
#include <tare/timeout.hpp>

#include <malloc.h>

#include <algorithm>
#include <mutex>
#include <utility>

namespace tare {

namespace {

using namespace std::chrono_literals;

constexpr std::int64_t look_pause = 1'000'000;
/// The minimum time between two calls of malloc_trim(3), which looks at all free blocks.
constexpr std::int64_t trim_pause = 1'000'000'000;
/// The same once shares have given back at least the limit divided by `given_back_divisor`.
constexpr std::int64_t short_trim_pause = 20'000'000;
constexpr std::size_t given_back_divisor = 32;
/// How often the first in the queue checks for room.
constexpr auto queue_pause = 1ms;
constexpr std::size_t urgent_bytes = std::size_t{128} << 10U;

/// Time of the shard's clock, so that virtual time counts; outside tasks, of the system's clock.
std::int64_t present() noexcept {
  const auto time = detail::current_shard != nullptr ? now() : std::chrono::steady_clock::now();
  return time.time_since_epoch().count();
}

[[nodiscard]] bool is_due(std::int64_t last, std::int64_t now, std::int64_t pause) noexcept {
  return now - last >= pause || now < last;  // another clock
}

}  // namespace

// --- shares ---------------------------------------------------------------------------------------------------------

void memory_share::release() noexcept {
  if (of_ == nullptr) return;
  of_->give_back_reserve(*this);
  of_->shrink(*this, 0);
  of_ = nullptr;
  bytes_and_flags_ = 0;
}

bool memory_share::try_grow_to(std::size_t bytes) noexcept {
  const auto by = has(urgent_flag) ? memory_budget::asker::urgent : memory_budget::asker::anyone;
  if (bytes <= this->bytes()) return true;
  return of_ != nullptr && (of_->grow(*this, bytes, by) || (of_->make_room() && of_->grow(*this, bytes, by)));
}

bool memory_share::try_grow_for_good(std::size_t bytes) noexcept {
  if (try_grow_to(bytes)) return true;
  if (of_ == nullptr) return false;
  if (of_->preceding_.load(std::memory_order_relaxed) == 0 &&
      of_->grow(*this, bytes, memory_budget::asker::first_in_queue)) {
    return true;
  }
  of_->refusals_.fetch_add(1, std::memory_order_relaxed);
  return false;
}

void memory_share::shrink_to(std::size_t bytes) noexcept {
  if (bytes < this->bytes()) of_->shrink(*this, bytes);
}

task<bool> memory_share::resize(std::size_t bytes, std::chrono::nanoseconds patience) {
  shrink_to(bytes);
  if (try_grow_to(bytes)) co_return true;
  if (of_ == nullptr) co_return false;
  co_return co_await of_->wait_for_room(*this, bytes, patience);
}

void memory_share::keep_from_reserve() noexcept {
  if (of_ == nullptr) return;
  of_->give_back_reserve(*this);
  bytes_and_flags_ |= lasts_flag;
}

// --- accounts -------------------------------------------------------------------------------------------------------

memory_budget::memory_budget(std::size_t limit, std::function<std::size_t()> held)
    : limit_(limit), ask_(held ? std::move(held) : std::function<std::size_t()>(detail::resident_bytes)) {
  if (!is_limited()) return;
  look();
  base_ = held_.load(std::memory_order_relaxed);
}

void memory_budget::look() noexcept {
  looked_at_ = present();
  promised_since_ = 0;
  held_.store(ask_(), std::memory_order_relaxed);
}

void memory_budget::look_if_due() noexcept {
  if (is_due(looked_at_, present(), look_pause)) look();
}

std::size_t memory_budget::held() noexcept {
  const std::scoped_lock guard(lock_);
  look_if_due();
  return held_.load(std::memory_order_relaxed);
}

std::size_t memory_budget::kept_from_all() const noexcept {
  const std::size_t reserve = reserve_.load(std::memory_order_relaxed);
  return reserve == 0 ? 0 : reserve - lent_bytes_ + urgent_bytes;
}

bool memory_budget::fits(std::size_t bytes, std::size_t kept) noexcept {
  if (bytes > limit_ || kept > limit_ - bytes) return false;
  const std::size_t left = limit_ - bytes - kept;
  if (base_ + promised_.load(std::memory_order_relaxed) > left) return false;
  look_if_due();
  return held_.load(std::memory_order_relaxed) + promised_since_ <= left;
}

void memory_budget::count(memory_share& share, std::size_t more) noexcept {
  share.bytes_and_flags_ += more;
  promised_.fetch_add(more, std::memory_order_relaxed);
  promised_since_ += more;
}

bool memory_budget::grow_from_reserve(memory_share& share, std::size_t more) noexcept {
  const bool has_it = share.has(memory_share::has_reserve_flag);
  const bool may_have_it = !is_lent_ && !share.has(memory_share::lasts_flag);
  const std::size_t reserve = reserve_.load(std::memory_order_relaxed);
  if (reserve == 0 || (!has_it && !may_have_it) || !fits(more, urgent_bytes)) return false;
  share.bytes_and_flags_ |= memory_share::has_reserve_flag;
  is_lent_ = true;
  lent_bytes_ = std::min(reserve, lent_bytes_ + more);  // the rest is taken from what is free
  count(share, more);
  return true;
}

bool memory_budget::grow(memory_share& share, std::size_t bytes, asker by) noexcept {
  const std::size_t more = bytes - share.bytes();
  if (!is_limited()) {
    share.bytes_and_flags_ += more;
    promised_.fetch_add(more, std::memory_order_relaxed);
    return true;
  }
  const std::scoped_lock guard(lock_);
  const bool has_reserve = share.has(memory_share::has_reserve_flag);
  if (by == asker::anyone && preceding_.load(std::memory_order_relaxed) != 0 && !has_reserve) return false;
  if (fits(more, kept_from_all())) {
    count(share, more);
    return true;
  }
  if (by == asker::urgent && fits(more, kept_from_all() - std::min(kept_from_all(), urgent_bytes))) {
    count(share, more);
    return true;
  }
  return (by == asker::first_in_queue || has_reserve) && grow_from_reserve(share, more);
}

void memory_budget::shrink(memory_share& share, std::size_t bytes) noexcept {
  const std::size_t less = share.bytes() - bytes;
  share.bytes_and_flags_ -= less;
  promised_.fetch_sub(less, std::memory_order_relaxed);
  if (!is_limited()) return;
  given_back_since_.fetch_add(less, std::memory_order_relaxed);
  const std::scoped_lock guard(lock_);
  promised_since_ -= std::min(promised_since_, less);
  if (share.has(memory_share::has_reserve_flag)) lent_bytes_ -= std::min(lent_bytes_, less);
}

void memory_budget::give_back_reserve(memory_share& share) noexcept {
  if (!share.has(memory_share::has_reserve_flag)) return;
  const std::scoped_lock guard(lock_);
  share.bytes_and_flags_ &= ~memory_share::has_reserve_flag;
  is_lent_ = false;
  lent_bytes_ = 0;
}

bool memory_budget::make_room() noexcept {
  // Returns memory that the allocator has cached; otherwise a burst could leave no room permanently.
  const std::int64_t now = present();
  const bool is_much = given_back_since_.load(std::memory_order_relaxed) >= limit_ / given_back_divisor;
  std::int64_t last = trimmed_at_.load(std::memory_order_relaxed);
  if (!is_due(last, now, is_much ? short_trim_pause : trim_pause) ||
      !trimmed_at_.compare_exchange_strong(last, now, std::memory_order_relaxed)) {
    return false;
  }
  given_back_since_.store(0, std::memory_order_relaxed);
  ::malloc_trim(0);
  const std::scoped_lock guard(lock_);
  // Memory that was promised recently may not have been touched yet.
  const std::size_t promised = promised_since_;
  look();
  promised_since_ = promised;
  return true;
}

// --- asking ---------------------------------------------------------------------------------------------------------

void memory_budget::keep_reserve(std::size_t bytes) noexcept {
  if (!is_limited() || bytes <= reserve()) return;
  const std::scoped_lock guard(lock_);
  const std::size_t most = (limit_ - std::min(base_, limit_)) / 2;
  reserve_.store(std::max(reserve(), std::min(bytes, most)), std::memory_order_relaxed);
}

bool memory_budget::could_ever_fit(std::size_t bytes) const noexcept {
  return !is_limited() || (bytes <= limit_ && base_ <= limit_ - bytes);
}

bool memory_budget::has_room(std::size_t bytes) noexcept {
  if (!is_limited()) return true;
  const auto look_for_it = [&] {
    const std::scoped_lock guard(lock_);
    return fits(bytes, kept_from_all());
  };
  return look_for_it() || (make_room() && look_for_it());
}

memory_share memory_budget::try_admit(std::size_t bytes) noexcept {
  memory_share share(*this);
  if (grow(share, bytes, asker::anyone) || (make_room() && grow(share, bytes, asker::anyone))) return share;
  refusals_.fetch_add(1, std::memory_order_relaxed);
  return {};
}

memory_share memory_budget::try_admit_urgent(std::size_t bytes) noexcept {
  memory_share share(*this);
  share.bytes_and_flags_ |= memory_share::urgent_flag;
  if (grow(share, bytes, asker::urgent) || (make_room() && grow(share, bytes, asker::urgent))) return share;
  refusals_.fetch_add(1, std::memory_order_relaxed);
  return {};
}

task<memory_share> memory_budget::admit(std::size_t bytes, std::chrono::nanoseconds patience) {
  memory_share share(*this);
  bool admitted = grow(share, bytes, asker::anyone);
  if (!admitted) admitted = co_await wait_for_room(share, bytes, patience);
  co_return admitted ? std::move(share) : memory_share();
}

/// During its lifetime, only waiting requests are admitted. Shares that are never lent the reserve have a separate
/// queue: its first may wait for a long time, and no other request must wait for that. An urgent share is in no queue.
class memory_budget::place_in_queue {
 public:
  place_in_queue(memory_budget& of, const memory_share& share) noexcept
      : of_(of), lasting_(share.has(memory_share::lasts_flag)), urgent_(share.has(memory_share::urgent_flag)) {
    change(1);
  }
  place_in_queue(const place_in_queue&) = delete;
  place_in_queue& operator=(const place_in_queue&) = delete;
  ~place_in_queue() { change(SIZE_MAX); }

  [[nodiscard]] semaphore& turn() const noexcept { return lasting_ ? of_.lasting_turn_ : of_.turn_; }

 private:
  void change(std::size_t by) noexcept {
    of_.waiting_.fetch_add(by, std::memory_order_relaxed);
    if (!lasting_ && !urgent_) of_.preceding_.fetch_add(by, std::memory_order_relaxed);
  }

  memory_budget& of_;
  bool lasting_;
  bool urgent_;
};

task<bool> memory_budget::wait_for_room(memory_share& share, std::size_t bytes, std::chrono::nanoseconds patience) {
  if (!could_ever_fit(bytes)) {
    refusals_.fetch_add(1, std::memory_order_relaxed);
    co_return false;
  }
  const std::int64_t until = present() + std::min<std::int64_t>(patience.count(), std::int64_t{1} << 60U);
  const place_in_queue place(*this, share);
  semaphore_permit turn;
  const bool is_urgent = share.has(memory_share::urgent_flag);
  // All others wait for the share that has the reserve.
  if (!share.has_reserve() && !is_urgent) {
    auto come = co_await timeout(patience, place.turn().acquire());
    if (come) turn = std::move(*come);
  }
  if (turn || share.has_reserve() || is_urgent) {
    for (;;) {
      if (grow(share, bytes, is_urgent ? asker::urgent : asker::first_in_queue)) co_return true;
      const std::int64_t left = until - present();
      if (left <= 0) break;
      (void)make_room();
      co_await sleep_for(std::min<std::chrono::nanoseconds>(queue_pause, std::chrono::nanoseconds(left)));
    }
  }
  refusals_.fetch_add(1, std::memory_order_relaxed);
  co_return false;
}

}  // namespace tare
