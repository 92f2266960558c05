#pragma once

// A socket that accepts connections.
//
//   auto listening = tare::net::listener::bind(tare::net::endpoint::loopback(8080));
//   if (!listening) return fail(listening.error());
//   while (auto client = co_await listening->accept()) tare::spawn(serve(std::move(*client)));
//
// When the process or the system has no descriptors left, or the runtime's ceiling leaves no room for one more
// connection, `accept` waits until one of the shard's is closed, or a tenth of a second, and tries again: connections
// stay in the backlog meanwhile and none is lost. Connections that went away before they were accepted are passed over.

#include <tare/net/endpoint.hpp>
#include <tare/net/result.hpp>
#include <tare/net/stream.hpp>

#include <chrono>
#include <utility>

namespace tare::net {

struct listen_options {
  int backlog = 4096;         ///< connections that may wait to be accepted; the system's somaxconn limits it
  bool reuse_address = true;  ///< bind although connections of an earlier listener linger
  bool reuse_port = false;    ///< several listeners on one port, among which the kernel spreads connections
  bool v6_only = false;       ///< [::] without IPv4
  bool unlink_path = true;    ///< of a Unix socket: remove one that nobody listens on first, and ours on close
};

namespace detail {

using accept_request = tare::detail::io_request<tare::detail::io_wait, io_call::accept, &take_stream>;

}  // namespace detail

/// Move-only, 8 bytes; belongs to the shard that made it. The streams it gives belong to the same.
class listener {
 public:
  listener() noexcept = default;
  listener(listener&& other) noexcept
      : slot_(std::exchange(other.slot_, detail::no_link)), owns_path_(other.owns_path_) {}
  listener& operator=(listener&& other) noexcept {
    listener moved(std::move(other));
    std::swap(slot_, moved.slot_);
    std::swap(owns_path_, moved.owns_path_);
    return *this;
  }
  listener(const listener&) = delete;
  listener& operator=(const listener&) = delete;
  ~listener() { close(); }

  /// How long `accept` waits for a descriptor before it tries again.
  static constexpr std::chrono::milliseconds accept_pause{100};

  /// To be called from a task: it is the current shard's. With io_uring, an address that is in use is tried for up to a
  /// quarter of a second, during which the shard stands still: that of a process that was killed is free only then.
  [[nodiscard]] static result<listener> bind(const endpoint& at, listen_options options = {});

  /// Takes over a socket that listens already, such as one that systemd has passed on. If it fails, the descriptor
  /// stays the caller's.
  [[nodiscard]] static result<listener> adopt(int fd);

  /// Waits for a connection: result<stream>.
  [[nodiscard]] detail::accept_request accept() noexcept { return {tare::detail::io_wait(slot_)}; }

  /// With the port that the system chose, if it was left to it.
  [[nodiscard]] result<endpoint> local() const noexcept;

  /// A waiting `accept` gives std::errc::operation_canceled. Connections in the backlog are reset by the kernel.
  void close() noexcept;

  [[nodiscard]] bool is_open() const noexcept { return slot_ != detail::no_link; }
  [[nodiscard]] int native_handle() const noexcept;
  /// Gives the descriptor up to the caller.
  [[nodiscard]] int release() noexcept;

 private:
  explicit listener(detail::link slot) noexcept : slot_(slot) {}

  detail::link slot_ = detail::no_link;
  bool owns_path_ = false;  ///< of a Unix socket, to be removed on close
};

}  // namespace tare::net
