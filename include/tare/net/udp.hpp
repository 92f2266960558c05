#pragma once

// Datagrams.
//
//   auto socket = tare::net::udp_socket::bind(tare::net::endpoint::any(5353));
//   std::array<std::byte, 1500> into;
//   auto got = co_await socket->receive_from(into);           // result<datagram>
//   co_await socket->send_to(bytes, got->from);               // result<void>
//
// **Errors** Those of the system calls. **Cancellation** Each operation is a cancellation point only if it has to wait.
// A cancelled one has received or sent nothing. **Threads** The shard that made the socket. **Bytes** The object is 4,
// its slot 24; a wait holds 24 or 32 in the frame.

#include <tare/detail/io_wait.hpp>
#include <tare/net/endpoint.hpp>
#include <tare/net/result.hpp>
#include <tare/net/stream.hpp>

#include <cstddef>
#include <span>
#include <utility>

namespace tare::net {

struct datagram {
  std::size_t size = 0;
  endpoint from;
  bool truncated = false;  ///< the datagram was larger than the buffer; the rest is lost
};

struct udp_options {
  bool reuse_port = false;  ///< several sockets on one port; the kernel distributes datagrams among them
  bool v6_only = false;     ///< [::] without IPv4
};

namespace detail {

result<datagram> take_datagram();

using receive_request = tare::detail::io_request<tare::detail::io_read_wait, io_call::receive_from, &take_datagram>;
using send_request = tare::detail::io_request<tare::detail::io_send_wait, io_call::send_to, &take_done>;

}  // namespace detail

/// Move-only. One task may receive while another sends.
class udp_socket {
 public:
  udp_socket() noexcept = default;
  udp_socket(udp_socket&& other) noexcept : slot_(std::exchange(other.slot_, detail::no_link)) {}
  udp_socket& operator=(udp_socket&& other) noexcept {
    udp_socket moved(std::move(other));
    std::swap(slot_, moved.slot_);
    return *this;
  }
  udp_socket(const udp_socket&) = delete;
  udp_socket& operator=(const udp_socket&) = delete;
  ~udp_socket() { close(); }

  [[nodiscard]] static result<udp_socket> bind(const endpoint& address, udp_options options = {});

  /// Restricts the socket to this peer: it receives only from the peer, and `send` sends to it. Later calls return
  /// errors that the peer's host reports, such as std::errc::connection_refused.
  result<void> connect(const endpoint& to) noexcept;

  /// Waits for a datagram, which may be empty. Returns result<datagram>.
  detail::receive_request receive_from(std::span<std::byte> buffer) noexcept { return {{slot_, buffer}}; }

  /// Sends one datagram, waiting while the system's buffer is full. Returns result<void>. `to` must outlive the await.
  detail::send_request send_to(std::span<const std::byte> bytes, const endpoint& to) noexcept {
    return {{slot_, bytes, to.data(), to.size()}};
  }
  /// Sends to the connected peer.
  detail::send_request send(std::span<const std::byte> bytes) noexcept { return {{slot_, bytes, nullptr, 0}}; }

  /// Like `stream::close`.
  void close() noexcept {
    if (slot_ != detail::no_link) detail::close_slot(std::exchange(slot_, detail::no_link));
  }
  [[nodiscard]] result<endpoint> local() const noexcept;
  [[nodiscard]] bool is_open() const noexcept { return slot_ != detail::no_link; }
  [[nodiscard]] int native_handle() const noexcept;

 private:
  explicit udp_socket(detail::link slot) noexcept : slot_(slot) {}

  detail::link slot_ = detail::no_link;
};

}  // namespace tare::net
