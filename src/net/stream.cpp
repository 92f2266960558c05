#include <tare/net/stream.hpp>

#include "io/reactor.hpp"
#include "io/slot.hpp"
#include "net/socket.hpp"
#include "sched/usage.hpp"

#include <netinet/tcp.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <optional>
#include <utility>

namespace tare::net {

using tare::detail::from_link;
using tare::detail::io_slot;
using tare::detail::reactor;

namespace {

/// A call that does not wait: returns its count, or the error, including would_block.
template <class Wait>
result<std::size_t> call_now(Wait wait, detail::io_call call, const char* name) noexcept {
  if (wait.slot == detail::no_link) return std::unexpected(std::make_error_code(std::errc::bad_file_descriptor));
  reactor& here = detail::reactor_of(wait.slot, name);
  if (!here.perform(*from_link<io_slot>(wait.slot), call, wait)) {
    return std::unexpected(std::make_error_code(std::errc::operation_would_block));
  }
  if (here.outcome().error != 0) {
    return std::unexpected(std::error_code(here.outcome().error, std::generic_category()));
  }
  return here.outcome().count;
}

}  // namespace

result<stream> stream::adopt(int fd) {
  tare::detail::require_task("tare::net::stream::adopt");
  if (auto made = detail::make_non_blocking(fd); !made) return std::unexpected(made.error());
  detail::socket_handle handle(fd);
  const result<detail::link> slot = detail::adopt(handle);
  (void)handle.release();
  if (!slot) return std::unexpected(slot.error());
  return stream(*slot);
}

result<std::pair<stream, stream>> stream::pair() {
  tare::detail::require_task("tare::net::stream::pair");
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return detail::last_error();
  }
  detail::socket_handle each(ends[0]);
  detail::socket_handle other(ends[1]);
  const result<detail::link> first = detail::adopt(each);
  if (!first) return std::unexpected(first.error());
  stream begun(*first);
  const result<detail::link> second = detail::adopt(other);
  if (!second) return std::unexpected(second.error());
  return std::pair<stream, stream>(std::move(begun), stream(*second));
}

result<std::size_t> stream::try_read(std::span<std::byte> buffer) noexcept {
  return call_now(tare::detail::io_read_wait(slot_, buffer), detail::io_call::read, "tare::net::stream::try_read");
}

result<lease> stream::try_read() noexcept {
  const result<std::size_t> got = call_now(detail_wait(), detail::io_call::read_lease, "tare::net::stream::try_read");
  if (!got) return std::unexpected(got.error());
  return lease(std::exchange(reactor::if_any()->outcome().buffer, nullptr), *got);
}

result<std::size_t> stream::try_write(std::span<const std::byte> bytes) noexcept {
  return call_now(tare::detail::io_write_wait(slot_, bytes), detail::io_call::write_some,
                  "tare::net::stream::try_write");
}

peer_state stream::look_at_peer() noexcept {
  if (slot_ == detail::no_link) return peer_state::gone;
  tare::detail::require_task("tare::net::stream::look_at_peer");
  auto& slot = *tare::detail::from_link<tare::detail::io_slot>(slot_);
  if (!reactor::if_any()->may_have_input(slot)) return peer_state::silent;
  std::byte next{};
  const ssize_t there = ::recv(slot.fd, &next, 1, MSG_PEEK | MSG_DONTWAIT);
  if (there > 0) return peer_state::sending;
  if (there < 0 && errno == EINTR) return peer_state::silent;
  if (there < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
    slot.clear(tare::detail::io_readable);  // the kernel announces what comes next
    return peer_state::silent;
  }
  return peer_state::gone;
}

result<void> stream::shutdown_write() noexcept {
  if (::shutdown(native_handle(), SHUT_WR) != 0) return detail::last_error();
  return {};
}

namespace {

void set_deadlines(detail::link slot, const char* call, direction which,
                   std::optional<std::chrono::nanoseconds> from_now) noexcept {
  if (slot == detail::no_link) return;
  auto& limited = *from_link<io_slot>(slot);
  tare::detail::deadline_sweep& deadlines = detail::reactor_of(slot, call).deadlines();
  if (which != direction::write) deadlines.set(limited, tare::detail::io_direction::read, from_now);
  if (which != direction::read) deadlines.set(limited, tare::detail::io_direction::write, from_now);
}

}  // namespace

void stream::expires_after(std::chrono::nanoseconds time, direction which) noexcept {
  set_deadlines(slot_, "tare::net::stream::expires_after", which, time);
}

void stream::expires_never(direction which) noexcept {
  set_deadlines(slot_, "tare::net::stream::expires_never", which, std::nullopt);
}

result<void> stream::set_no_delay(bool on) noexcept {
  const int value = on ? 1 : 0;
  if (::setsockopt(native_handle(), IPPROTO_TCP, TCP_NODELAY, &value, sizeof(value)) != 0) return detail::last_error();
  return {};
}

result<endpoint> stream::local() const noexcept { return detail::local_of(slot_); }
result<endpoint> stream::peer() const noexcept { return detail::peer_of(slot_); }
int stream::native_handle() const noexcept { return detail::descriptor_of(slot_); }
int stream::release() noexcept {
  return detail::release_slot(std::exchange(slot_, detail::no_link), "tare::net::stream::release");
}

}  // namespace tare::net
