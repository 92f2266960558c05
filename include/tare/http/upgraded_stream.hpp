#pragma once

// A connection that switched to another protocol at the client's request (101) and no longer belongs to the client.
//
//   http::client_request ask{.url = "http://example.org/socket"};
//   ask.fields.set("upgrade", "websocket");
//   auto got = co_await client.send(std::move(ask));
//   if (got && got->status() == 101) speak(got->take_stream());
//
// **Bytes** 40, plus what the server has sent after its response until you read it.

#include <tare/http/detail/connection.hpp>
#include <tare/net/direction.hpp>
#include <tare/net/lease.hpp>
#include <tare/net/result.hpp>
#include <tare/task.hpp>

#include <chrono>
#include <cstddef>
#include <span>
#include <utility>

namespace tare::http {

/// A net::byte_stream, plain or over TLS, according to the URL. Move-only, but must not be moved during an operation.
/// One task may read while another writes.
///
/// **Errors** and **Cancellation** As for net::stream and net::tls::stream. **Threads** Belongs to the client's
/// shard.
class upgraded_stream {
 public:
  /// For the library.
  upgraded_stream(detail::connection over, net::lease come) noexcept : over_(std::move(over)), come_(std::move(come)) {}

  /// Returns first what arrived after the head of the response. Empty at the end of the stream.
  task<net::result<net::lease>> read();
  /// 0 at the end of the stream.
  task<net::result<std::size_t>> read(std::span<std::byte> buffer);
  /// Writes all bytes. The bytes, and a list of pieces, must outlive the await.
  task<net::result<void>> write(std::span<const std::byte> bytes);
  task<net::result<void>> write(std::span<const std::span<const std::byte>> pieces);

  void shutdown_write() noexcept { over_.way().shutdown_write(); }
  void close() noexcept {
    come_.release();
    over_.close();
  }
  [[nodiscard]] bool is_open() const noexcept { return over_.is_open(); }

  void expires_after(std::chrono::nanoseconds time, net::direction which = net::direction::both) noexcept {
    over_.way().expires_after(time, which);
  }
  void expires_never(net::direction which = net::direction::both) noexcept { over_.way().expires_never(which); }

  /// For the library: what it consists of.
  [[nodiscard]] detail::connection take_connection() noexcept { return std::move(over_); }
  [[nodiscard]] net::lease take_input() noexcept { return std::move(come_); }

 private:
  detail::connection over_;
  net::lease come_;
};

}  // namespace tare::http
