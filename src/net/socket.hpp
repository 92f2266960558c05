#pragma once

// Shared by streams, listeners and datagram sockets.

#include "io/reactor.hpp"

#include <tare/net/endpoint.hpp>
#include <tare/net/result.hpp>

#include <cerrno>
#include <system_error>
#include <utility>

namespace tare::net::detail {

/// A value of errno as an error.
[[nodiscard]] inline std::unexpected<std::error_code> failed_with(int error) noexcept {
  return std::unexpected(std::error_code(error, std::generic_category()));
}
[[nodiscard]] inline std::unexpected<std::error_code> last_error() noexcept { return failed_with(errno); }

/// Owns a descriptor until a slot takes it over.
class socket_handle {
 public:
  explicit socket_handle(int fd) noexcept : fd_(fd) {}
  socket_handle(socket_handle&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  socket_handle& operator=(socket_handle&&) = delete;
  socket_handle(const socket_handle&) = delete;
  socket_handle& operator=(const socket_handle&) = delete;
  ~socket_handle();

  /// Non-blocking, close-on-exec.
  [[nodiscard]] static result<socket_handle> open(int family, int type);

  [[nodiscard]] int get() const noexcept { return fd_; }
  [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }

  result<void> set(int level, int option, int value) const noexcept;

 private:
  int fd_;
};

/// The reactor of the current shard takes over the descriptor.
[[nodiscard]] result<tare::detail::link> adopt(socket_handle& handle) noexcept;
[[nodiscard]] result<void> make_non_blocking(int fd) noexcept;

[[nodiscard]] int descriptor_of(tare::detail::link slot) noexcept;
[[nodiscard]] result<endpoint> local_of(tare::detail::link slot) noexcept;
[[nodiscard]] result<endpoint> peer_of(tare::detail::link slot) noexcept;
/// The reactor of the slot, for `call`. Only a task of its shard may make the call; otherwise the program aborts with a
/// message.
[[nodiscard]] tare::detail::reactor& reactor_of(tare::detail::link slot, const char* call) noexcept;
/// Releases the descriptor; -1 if there is none. The same restriction applies.
[[nodiscard]] int release_slot(tare::detail::link released, const char* call) noexcept;

}  // namespace tare::net::detail
