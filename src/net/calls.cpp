// Calls from awaiters and streams to the reactor.

#include "io/reactor.hpp"
#include "io/slot.hpp"
#include "io/system.hpp"

#include <tare/detail/shard_state.hpp>
#include <tare/net/readiness.hpp>
#include <tare/net/stream.hpp>

#include <cerrno>
#include <mutex>
#include <utility>

namespace tare::detail {

io_taken io_take() {
  current_shard->throw_if_cancelled();
  reactor* const here = reactor::if_any();
  if (here == nullptr) return {.buffer = nullptr, .count = 0, .error = EBADF};  // the stream was never open
  io_outcome& made = here->outcome();
  return {.buffer = std::exchange(made.buffer, nullptr), .count = made.count, .error = made.error};
}

}  // namespace tare::detail

namespace tare::net::detail {

using tare::detail::from_link;
using tare::detail::io_slot;
using tare::detail::reactor;
using tare::detail::slot_table;

void close_slot(link closed) noexcept {
  auto& slot = *from_link<io_slot>(closed);
  if (reactor* const here = reactor::if_any(); here != nullptr && slot_table::owner_of(slot) == here) {
    here->close(slot);
    return;
  }
  const std::scoped_lock guard(slot_table::owners_lock());
  if (reactor* const owner = slot_table::owner_of(slot); owner != nullptr) {
    owner->close_from_elsewhere(slot);
  } else {
    (void)tare::detail::system::close(slot.fd);
    slot_table::give_back_orphan(slot);
  }
}

bool readiness_awaiter::suspend(tare::detail::wait_state& task) noexcept {
  const auto here = reactor::here();
  if (!here) {
    no_reactor_ = here.error().value();
    return tare::detail::current_shard->end_at_once(task);
  }
  return (*here)->suspend_foreign(*this, request_.fd, request_.call, task);
}

result<void> readiness_awaiter::await_resume() {
  if (no_reactor_ != 0) return failed(no_reactor_);
  return take_done();
}

}  // namespace tare::net::detail
