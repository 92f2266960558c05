#include "io/accept_pause.hpp"

#include "io/reactor.hpp"

#include <tare/detail/frame_memory.hpp>

#include <memory>
#include <new>

namespace tare::detail {

accept_pause::accept_pause(reactor& of)
    : reactor_(of), timer_(::new (allocate_record(sizeof(pause_timer))) pause_timer) {
  timer_->of = this;
  timer_->expired = [](timer_node& self) noexcept { static_cast<pause_timer&>(self).of->end(); };
}

accept_pause::~accept_pause() {
  disarm(*timer_);
  std::destroy_at(timer_);
  free_record(timer_);
}

bool accept_pause::reserve() noexcept {
  try {
    // Any slot may belong to a listener.
    paused_.reserve(reactor_.slots().size() + 1);
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

void accept_pause::begin(io_slot& listener) noexcept {
  if (!timer_->asleep) arm(*timer_, std::chrono::nanoseconds(length).count());
  if (listener.has(io_paused)) return;
  listener.set(io_paused);
  paused_.push_back(to_link(&listener));
}

void accept_pause::end() noexcept {
  if (paused_.empty()) return;
  disarm(*timer_);
  for (const link each : paused_) {
    auto& listener = *from_link<io_slot>(each);
    listener.clear(io_paused);
    listener.set(io_readable);
    reactor_.queue(listener, io_direction::read);
  }
  paused_.clear();
}

void accept_pause::forget(io_slot& listener) noexcept {
  if (listener.has(io_paused)) std::erase(paused_, to_link(&listener));
}

}  // namespace tare::detail
