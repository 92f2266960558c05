#include "io/deadlines.hpp"

#include "io/reactor.hpp"
#include "sched/shard.hpp"

#include <tare/detail/frame_memory.hpp>

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <limits>
#include <memory>
#include <new>
#include <span>

namespace tare::detail {

namespace {

/// Units from a time to a deadline; negative if it has passed.
[[nodiscard]] std::int32_t units_until(std::uint32_t deadline, std::uint32_t from) noexcept {
  constexpr unsigned unused_bits = 8;
  return static_cast<std::int32_t>((deadline - from) << unused_bits) >> unused_bits;
}

}  // namespace

deadline_sweep::deadline_sweep(reactor& of)
    : reactor_(of), timer_(::new (allocate_record(sizeof(sweep_timer))) sweep_timer) {
  timer_->of = this;
  timer_->expired = [](timer_node& self) noexcept { static_cast<sweep_timer&>(self).of->sweep(); };
}

deadline_sweep::~deadline_sweep() {
  disarm(*timer_);
  std::destroy_at(timer_);
  free_record(timer_);
}

std::int64_t deadline_sweep::present() noexcept { return reactor_.owner().now() >> shift; }

void deadline_sweep::set(io_slot& slot, io_direction of, std::optional<std::chrono::nanoseconds> from_now) noexcept {
  slot.clear(expired_flag(of));
  slot.set_deadline(of, 0);
  if (!from_now) return;
  const std::int64_t now = reactor_.owner().now();
  const std::int64_t limit = std::max<std::int64_t>(from_now->count(), 0);
  if (limit >> shift >= longest) return;
  // Rounded up to the next unit, so never early.
  std::int64_t unit = ((now + limit) >> shift) + 1;
  if ((unit & 0xFF'FFFF) == 0) ++unit;  // 0 means none
  slot.set_deadline(of, static_cast<std::uint32_t>(unit));
  arm_at(unit);
}

void deadline_sweep::arm_at(std::int64_t unit) noexcept {
  if (timer_->asleep) {
    if (next_ <= unit) return;
    disarm(*timer_);
  }
  next_ = unit;
  arm(*timer_, std::max<std::int64_t>((unit << shift) - reactor_.owner().now(), 0));
}

void deadline_sweep::expire(io_slot& slot, io_direction in) noexcept {
  slot.set_deadline(in, 0);
  slot.set(expired_flag(in));
  reactor_.queue(slot, in);
}

void deadline_sweep::sweep() noexcept {
  const std::int64_t now = present();
  std::int64_t next = std::numeric_limits<std::int64_t>::max();
  reactor_.slots().for_each([&](io_slot& slot) {
    for (const io_direction in : {io_direction::read, io_direction::write}) {
      const std::uint32_t deadline = slot.deadline(in);
      if (deadline == 0) continue;
      const std::int32_t left = units_until(deadline, static_cast<std::uint32_t>(now));
      if (left <= 0) {
        expire(slot, in);
      } else {
        next = std::min(next, now + left);
      }
    }
  });
  if (next != std::numeric_limits<std::int64_t>::max()) arm_at(next);
}

namespace {

/// Something has arrived and is queued, so the connection is not idle.
[[nodiscard]] bool has_unread(const io_slot& slot) noexcept {
  std::byte next{};
  return ::recv(slot.fd, &next, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

}  // namespace

// In portions on the stack, because this is called when memory is short.
std::size_t deadline_sweep::expire_first(std::size_t most) noexcept {
  constexpr std::size_t portion = 64;
  const auto sooner = [](const io_slot* left, const io_slot* right) {
    return units_until(left->read_deadline, right->read_deadline) < 0;
  };
  std::size_t expired = 0;
  while (expired < most) {
    // A heap with the latest of the chosen deadlines at its top.
    std::array<io_slot*, portion> chosen{};
    const std::size_t wanted = std::min(most - expired, portion);
    std::size_t count = 0;
    reactor_.slots().for_each([&](io_slot& slot) {
      const bool waits = slot.reader != no_link && slot.reading == io_call::readable && !slot.has(io_foreign);
      if (!waits || slot.read_deadline == 0) return;
      if (count == wanted) {
        if (!sooner(&slot, chosen[0])) return;
        std::pop_heap(chosen.begin(), chosen.begin() + count--, sooner);
      }
      chosen[count++] = &slot;
      std::push_heap(chosen.begin(), chosen.begin() + count, sooner);
    });
    if (count == 0) break;
    std::size_t idle = 0;
    for (io_slot* slot : std::span(chosen).first(count)) {
      if (has_unread(*slot)) continue;
      ++idle;
      expire(*slot, io_direction::read);
    }
    if (idle == 0) break;
    expired += idle;
  }
  return expired;
}

}  // namespace tare::detail
