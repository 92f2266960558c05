#pragma once

// Waiting for descriptors owned by other libraries.
//
//   while (PQisBusy(connection)) {
//     co_await tare::net::wait_readable(PQsocket(connection));
//     PQconsumeInput(connection);
//   }
//
// **Bytes** 24 in the waiting frame, and a slot of 24 during the wait. Each wait registers the descriptor with the
// kernel again, so `stream` is cheaper for your own sockets.

#include <tare/detail/io_wait.hpp>
#include <tare/detail/wait_state.hpp>
#include <tare/net/result.hpp>

#include <coroutine>

namespace tare::net {

namespace detail {

class readiness_awaiter;

struct [[nodiscard("nothing happens until it is awaited")]] readiness_request {
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
  int no_reactor_ = 0;  ///< the error if no reactor could be created
};

}  // namespace detail

/// Waits until the descriptor is ready in the sense of poll(2), where errors and end of stream count as ready. Returns
/// result<void>. The descriptor must stay open during the wait. At most one task at a time may wait for a descriptor to
/// be readable, and one for it to be writable.
///
/// **Errors** Another task gets std::errc::device_or_resource_busy; with epoll, so does the second of two waits if one
/// is of a `stream` of the same shard. std::errc::bad_file_descriptor and what the system reports. **Cancellation** Has
/// taken nothing. **Threads** Tasks of any shard.
inline detail::readiness_request wait_readable(int fd) noexcept {
  return {.fd = fd, .call = tare::detail::io_call::readable};
}
inline detail::readiness_request wait_writable(int fd) noexcept {
  return {.fd = fd, .call = tare::detail::io_call::writable};
}

}  // namespace tare::net
