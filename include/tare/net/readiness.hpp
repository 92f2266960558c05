#pragma once

// Waiting for descriptors that belong to somebody else: libraries with an event loop of their own idea.
//
//   while (PQisBusy(connection)) {
//     co_await tare::net::wait_readable(PQsocket(connection));
//     PQconsumeInput(connection);
//   }
//
// 24 bytes in the waiting frame, and a slot of 24 while somebody waits. Each wait tells the kernel anew what is waited
// for: for sockets of one's own, `stream` is cheaper.

#include <tare/detail/io_wait.hpp>
#include <tare/detail/wait_state.hpp>
#include <tare/net/result.hpp>

#include <coroutine>

namespace tare::net {

namespace detail {

class readiness_awaiter;

struct readiness_request {
  using tare_awaiter = readiness_awaiter;
  int fd;
  tare::detail::io_call call;
};

class readiness_awaiter : private tare::detail::io_wait {
 public:
  readiness_awaiter(const readiness_request& request, tare::detail::wait_state& /*task*/) noexcept
      : io_wait(tare::detail::no_link), request_(request) {}

  [[nodiscard]] static bool await_ready() noexcept { return false; }
  template <class Promise>
  [[nodiscard]] bool await_suspend(std::coroutine_handle<Promise> self) noexcept {
    return suspend(self.promise());
  }
  [[nodiscard]] result<void> await_resume();

 private:
  [[nodiscard]] bool suspend(tare::detail::wait_state& task) noexcept;

  readiness_request request_;
  int no_reactor_ = 0;  ///< why there is none
};

}  // namespace detail

/// Waits until the descriptor is ready, in the sense of poll(2): errors and the end of a stream count. Gives
/// result<void>. At most one task at a time may wait for a descriptor to be readable, and one for it to be writable
/// (std::errc::device_or_resource_busy). It must stay open meanwhile. For the descriptor of a `stream` of the same
/// shard use the stream: with epoll, whichever of the two waits second is given std::errc::device_or_resource_busy.
[[nodiscard]] inline detail::readiness_request wait_readable(int fd) noexcept {
  return {.fd = fd, .call = tare::detail::io_call::readable};
}
[[nodiscard]] inline detail::readiness_request wait_writable(int fd) noexcept {
  return {.fd = fd, .call = tare::detail::io_call::writable};
}

}  // namespace tare::net
