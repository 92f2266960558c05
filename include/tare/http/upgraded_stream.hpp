#pragma once

// A connection whose server has switched to another protocol at a client's request (101): the client's no more.
//
//   http::client_request ask{.url = "http://example.org/socket"};
//   ask.fields.set("upgrade", "websocket");
//   auto got = co_await client.send(std::move(ask));
//   if (got && got->status() == 101) speak(got->take_stream());
//
// Bytes: 40, and what the server has sent behind its response until that has been read.

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

/// A net::byte_stream, in the clear or over TLS as the URL was. Move-only, but to stay where it is while something is
/// awaited on it. One task may read while another writes.
///
/// **Errors** and **Cancellation**: as of net::stream and net::tls::stream. **Threads**: belongs to the client's shard.
class upgraded_stream {
 public:
  /// For the library.
  upgraded_stream(detail::connection over, net::lease come) noexcept : over_(std::move(over)), come_(std::move(come)) {}

  /// First what came behind the response's head. Empty at the end of the stream.
  [[nodiscard]] task<net::result<net::lease>> read();
  /// 0 at the end of the stream.
  [[nodiscard]] task<net::result<std::size_t>> read(std::span<std::byte> into);
  /// All of it. The bytes must outlive the await, and so must a list of pieces.
  [[nodiscard]] task<net::result<void>> write(std::span<const std::byte> bytes);
  [[nodiscard]] task<net::result<void>> write(std::span<const std::span<const std::byte>> pieces);

  void shutdown_write() noexcept { over_.way().shutdown_write(); }
  void close() noexcept {
    come_.release();
    over_.close();
  }
  [[nodiscard]] bool is_open() const noexcept { return over_.is_open(); }

  void expires_after(std::chrono::nanoseconds time, net::direction of = net::direction::both) noexcept {
    over_.way().expires_after(time, of);
  }
  void expires_never(net::direction of = net::direction::both) noexcept { over_.way().expires_never(of); }

 private:
  detail::connection over_;
  net::lease come_;
};

}  // namespace tare::http
