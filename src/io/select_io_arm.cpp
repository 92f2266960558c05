// Waits for readiness that are arms of a select.

#include <tare/detail/select_io_arm.hpp>

#include "io/reactor.hpp"
#include "io/slot.hpp"

#include <cassert>
#include <cerrno>

namespace tare::detail {

int reactor::begin_arm(io_arm& arm, io_call call) noexcept {
  auto& slot = *from_link<io_slot>(arm.slot);
  if (slot.waiting(direction_of(call)) != no_link) return EBUSY;  // another arm of the same select
  if (const int error = watch(slot); error != 0) return error;
  return wait_without_task(arm, call) ? 0 : EBUSY;
}

bool io_arm::try_now(io_call call) noexcept {
  if (slot == no_link) {
    error = EBADF;
    return true;
  }
  auto& of = *from_link<io_slot>(slot);
  assert(slot_table::owner_of(of) == reactor::if_any() && "a stream is used on its own shard");
  const io_direction in = direction_of(call);
  if (of.waiting(in) != no_link) {
    error = EBUSY;
    return true;
  }
  return of.has(ready_flag(in) | expired_flag(in));
}

bool io_arm::begin(io_call call) noexcept {
  error = reactor::if_any()->begin_arm(*this, call);
  return error == 0;
}

void io_arm::withdraw(io_call call) noexcept {
  if (slot != no_link) reactor::if_any()->end_wait_without_task(*this, direction_of(call));
}

void io_arm::take(io_call call) noexcept {
  reactor* const here = reactor::if_any();
  if (here == nullptr) return;  // the stream was never open; io_take says so
  if (error != 0) {
    here->fail_call(error);
  } else if (!here->perform(*from_link<io_slot>(slot), call, *this)) {
    here->fail_call(ETIMEDOUT);  // the deadline that ended the select has been moved since
  }
  withdraw(call);
}

void io_arm::end_wait() noexcept {
  auto& select = static_cast<select_core&>(*from_link<wait_node>(core));
  if (select.claim(id())) select.wake_here(wait_kind::ready);
}

}  // namespace tare::detail
