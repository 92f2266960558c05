#pragma once

// A socket that accepts connections.
//
//   auto listening = tare::net::listener::bind(tare::net::endpoint::loopback(8080));
//   if (!listening) return fail(listening.error());
//   while (auto client = co_await listening->accept()) tare::spawn(serve(std::move(*client)));
//
// If the process or the system has run out of descriptors, or the runtime's frame limit leaves no room for another
// connection, `accept` waits until a descriptor of the shard is closed, or a tenth of a second, and tries again.
// Meanwhile connections stay in the backlog; none is lost. Connections that were aborted before they were accepted are
// skipped.
//
// **Errors** Those of the system calls; std::errc::operation_canceled from an `accept` that waits when the listener is
// closed. **Cancellation** A cancelled `accept` has taken no connection. **Threads** A listener, and the streams that
// it accepts, belong to the shard that made it. **Bytes** 8, and a slot of 24.

#include <tare/net/endpoint.hpp>
#include <tare/net/result.hpp>
#include <tare/net/stream.hpp>

#include <chrono>
#include <utility>

namespace tare::net {

struct listen_options {
  int backlog = 4096;         ///< connections that may wait to be accepted; limited by the system's somaxconn
  bool reuse_address = true;  ///< bind even if connections of an earlier listener linger
  bool reuse_port = false;    ///< several listeners on one port; the kernel distributes connections among them
  bool v6_only = false;       ///< [::] without IPv4
  bool unlink_path = true;    ///< Unix sockets: remove a stale socket before binding, and ours on close
};

namespace detail {

using accept_request = tare::detail::io_request<tare::detail::io_wait, io_call::accept, &take_stream>;

}  // namespace detail

/// Move-only.
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

  /// Call it from a task; the listener belongs to the current shard. With io_uring, an address in use is retried for up
  /// to a quarter of a second, which blocks the shard, because the address of a killed process is released with a
  /// delay.
  [[nodiscard]] static result<listener> bind(const endpoint& address, listen_options options = {});

  /// Takes ownership of a socket that is already listening, such as one passed by systemd. On failure the caller keeps
  /// the descriptor.
  [[nodiscard]] static result<listener> adopt(int fd);

  /// Waits for a connection. Returns result<stream>.
  detail::accept_request accept() noexcept { return {tare::detail::io_wait(slot_)}; }

  /// The bound address, including a port chosen by the system.
  [[nodiscard]] result<endpoint> local() const noexcept;

  /// A waiting `accept` returns std::errc::operation_canceled. The kernel resets connections in the backlog.
  void close() noexcept;

  [[nodiscard]] bool is_open() const noexcept { return slot_ != detail::no_link; }
  [[nodiscard]] int native_handle() const noexcept;
  /// Transfers ownership of the descriptor to the caller.
  [[nodiscard]] int release() noexcept;

 private:
  explicit listener(detail::link slot) noexcept : slot_(slot) {}

  detail::link slot_ = detail::no_link;
  bool owns_path_ = false;  ///< of a Unix socket, to be removed on close
};

}  // namespace tare::net
