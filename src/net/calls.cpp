// The results of calls, handed from the reactor to the task that has just been resumed.

#include "io/reactor.hpp"
#include "io/slot.hpp"
#include "io/system.hpp"

#include <tare/detail/shard_state.hpp>
#include <tare/net/readiness.hpp>
#include <tare/net/stream.hpp>

#include <cerrno>
#include <utility>

namespace tare::net::detail {

namespace {

using tare::detail::current_shard;
using tare::detail::from_link;
using tare::detail::io_outcome;
using tare::detail::io_slot;
using tare::detail::reactor;
using tare::detail::slot_table;

std::unexpected<std::error_code> failed(int error) noexcept {
  return std::unexpected(std::error_code(error, std::generic_category()));
}

/// Throws `cancelled`. nullptr: the stream has never been one.
io_outcome* outcome() {
  current_shard->throw_if_cancelled();
  reactor* const here = reactor::if_any();
  return here == nullptr ? nullptr : &here->outcome();
}

}  // namespace

result<std::size_t> take_count() {
  const io_outcome* const made = outcome();
  if (made == nullptr) return failed(EBADF);
  if (made->error != 0) return failed(made->error);
  return made->count;
}

result<void> take_done() {
  const io_outcome* const made = outcome();
  if (made == nullptr) return failed(EBADF);
  if (made->error != 0) return failed(made->error);
  return {};
}

result<lease> take_lease() {
  io_outcome* const made = outcome();
  if (made == nullptr) return failed(EBADF);
  if (made->error != 0) return failed(made->error);
  if (made->count == 0) return lease();
  return lease(std::exchange(made->buffer, nullptr), made->count);
}

result<stream> take_stream() {
  const io_outcome* const made = outcome();
  if (made == nullptr) return failed(EBADF);
  if (made->error != 0) return failed(made->error);
  return stream_of(made->slot);
}

void close_slot(link closed) noexcept {
  auto& slot = *from_link<io_slot>(closed);
  reactor* const owner = slot_table::owner_of(slot);
  if (owner == nullptr) {
    (void)tare::detail::system::close(slot.fd);
    slot_table::give_back_orphan(slot);
  } else if (owner == reactor::if_any()) {
    owner->close(slot);
  } else {
    owner->close_from_elsewhere(slot);
  }
}

bool readiness_awaiter::suspend(tare::detail::wait_state& task) noexcept {
  const auto here = reactor::here();
  if (!here) {
    no_reactor_ = here.error().value();
    return false;
  }
  return (*here)->suspend_foreign(*this, request_.fd, request_.call, task);
}

result<void> readiness_awaiter::await_resume() {
  if (no_reactor_ != 0) return failed(no_reactor_);
  return take_done();
}

}  // namespace tare::net::detail
