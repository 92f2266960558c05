#pragma once

// A type-erased connection, for code that should not be a template: a pointer to the stream and a table of operations.
// 16 bytes, passed by value. The stream must outlive it.

#include <tare/detail/link.hpp>
#include <tare/net/byte_stream.hpp>
#include <tare/net/direction.hpp>
#include <tare/net/endpoint.hpp>
#include <tare/net/lease.hpp>
#include <tare/net/peer_state.hpp>
#include <tare/net/result.hpp>
#include <tare/net/tls_certificate.hpp>
#include <tare/task.hpp>

#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <optional>
#include <span>
#include <system_error>

namespace tare::http::detail {

using pieces = std::span<const std::span<const std::byte>>;

class transport {
 public:
  template <net::byte_stream Stream>
  [[nodiscard]] static transport of(Stream& stream) noexcept {
    return transport(&stream, &operations_of<Stream>);
  }

  /// Empty at the end of the stream.
  TARE_COROUTINE_WRAPPER task<net::result<net::lease>> read() const { return operations_->read(stream_); }
  /// Reads what is available now; std::errc::operation_would_block if nothing is. std::errc::operation_not_supported if
  /// the stream lacks this operation.
  [[nodiscard]] net::result<net::lease> try_read() const noexcept { return operations_->try_read(stream_); }
  /// Writes all pieces. The list and the bytes must outlive the await.
  TARE_COROUTINE_WRAPPER task<net::result<void>> write(pieces what) const { return operations_->write(stream_, what); }
  /// Writes as many bytes as possible without waiting, perhaps none.
  [[nodiscard]] net::result<std::size_t> try_write(std::span<const std::byte> bytes) const noexcept {
    return operations_->try_write(stream_, bytes);
  }
  /// Operations that have not completed by then fail: reads, writes, or both.
  void expires_after(std::chrono::nanoseconds time, net::direction which = net::direction::both) const noexcept {
    operations_->expires_after(stream_, time, which);
  }
  void expires_never(net::direction which = net::direction::both) const noexcept {
    operations_->expires_never(stream_, which);
  }
  /// False if what announces the end, close_notify, must wait for room in the system's buffer: call it again then.
  bool shutdown_write() const noexcept { return operations_->shutdown_write(stream_); }
  /// Closes it so that the peer sees an error, not a regular end.
  void abort() const noexcept { operations_->abort(stream_); }
  /// Waits until `try_read`, or `try_write`, may make progress. std::errc::operation_not_supported if the stream lacks
  /// this operation.
  TARE_COROUTINE_WRAPPER task<net::result<void>> readable() const { return operations_->readable(stream_); }
  TARE_COROUTINE_WRAPPER task<net::result<void>> writable() const { return operations_->writable(stream_); }
  /// Bytes in transit that the stream buffers.
  [[nodiscard]] std::size_t buffered_bytes() const noexcept { return operations_->buffered_bytes(stream_); }
  /// What the peer is known to have done. Reads nothing. `sending` if the stream lacks this operation.
  [[nodiscard]] net::peer_state look_at_peer() const noexcept { return operations_->look_at_peer(stream_); }
  /// The slot of its descriptor, for waits without a frame; no_link if it has none.
  [[nodiscard]] tare::detail::link slot() const noexcept { return operations_->slot(stream_); }
  [[nodiscard]] net::result<net::endpoint> peer() const { return operations_->peer(stream_); }
  [[nodiscard]] std::optional<net::tls::certificate> peer_certificate() const {
    return operations_->peer_certificate(stream_);
  }

 private:
  struct operations {
    task<net::result<net::lease>> (*read)(void* stream);
    net::result<net::lease> (*try_read)(void* stream) noexcept;
    task<net::result<void>> (*write)(void* stream, pieces what);
    net::result<std::size_t> (*try_write)(void* stream, std::span<const std::byte> bytes) noexcept;
    void (*expires_after)(void* stream, std::chrono::nanoseconds time, net::direction which) noexcept;
    void (*expires_never)(void* stream, net::direction which) noexcept;
    bool (*shutdown_write)(void* stream) noexcept;
    void (*abort)(void* stream) noexcept;
    task<net::result<void>> (*readable)(void* stream);
    task<net::result<void>> (*writable)(void* stream);
    std::size_t (*buffered_bytes)(void* stream) noexcept;
    net::peer_state (*look_at_peer)(void* stream) noexcept;
    tare::detail::link (*slot)(void* stream) noexcept;
    net::result<net::endpoint> (*peer)(void* stream);
    std::optional<net::tls::certificate> (*peer_certificate)(void* stream);
  };

  template <class Stream>
  struct calls {
    static Stream& at(void* stream) noexcept { return *static_cast<Stream*>(stream); }

    static task<net::result<net::lease>> read(void* stream) { co_return co_await at(stream).read(); }
    static net::result<net::lease> try_read(void* stream) noexcept {
      if constexpr (requires { at(stream).try_read(); }) {
        return at(stream).try_read();
      } else {
        return std::unexpected(std::make_error_code(std::errc::operation_not_supported));
      }
    }
    static task<net::result<void>> write(void* stream, pieces what) { co_return co_await at(stream).write(what); }
    static net::result<std::size_t> try_write(void* stream, std::span<const std::byte> bytes) noexcept {
      if constexpr (requires { at(stream).try_write(bytes); }) {
        auto written = at(stream).try_write(bytes);
        if (!written && written.error() == std::errc::operation_would_block) return 0;
        return written;
      } else {
        return 0;
      }
    }
    // A user-defined stream may have no such operation, or one for both directions.
    static void expires_after(void* stream, std::chrono::nanoseconds time, net::direction which) noexcept {
      if constexpr (requires { at(stream).expires_after(time, which); }) {
        at(stream).expires_after(time, which);
      } else if constexpr (requires { at(stream).expires_after(time); }) {
        at(stream).expires_after(time);
      }
    }
    static void expires_never(void* stream, net::direction which) noexcept {
      if constexpr (requires { at(stream).expires_never(which); }) {
        at(stream).expires_never(which);
      } else if constexpr (requires { at(stream).expires_never(); }) {
        at(stream).expires_never();
      }
    }
    static bool shutdown_write(void* stream) noexcept {
      const net::result<void> done = at(stream).shutdown_write();
      return done || done.error() != std::errc::operation_would_block;
    }
    static void abort(void* stream) noexcept {
      if constexpr (requires { at(stream).native_handle(); }) {
        constexpr linger at_once{.l_onoff = 1, .l_linger = 0};
        (void)::setsockopt(at(stream).native_handle(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
      }
      at(stream).close();
    }
    static task<net::result<void>> readable(void* stream) {
      if constexpr (requires { at(stream).readable(); }) {
        co_return co_await at(stream).readable();
      } else {
        co_return std::unexpected(std::make_error_code(std::errc::operation_not_supported));
      }
    }
    static task<net::result<void>> writable(void* stream) {
      if constexpr (requires { at(stream).writable(); }) {
        co_return co_await at(stream).writable();
      } else {
        co_return std::unexpected(std::make_error_code(std::errc::operation_not_supported));
      }
    }
    static std::size_t buffered_bytes(void* stream) noexcept {
      if constexpr (requires { at(stream).buffered_bytes(); }) {
        return at(stream).buffered_bytes();
      } else {
        return 0;
      }
    }
    static net::peer_state look_at_peer(void* stream) noexcept {
      if constexpr (requires { at(stream).look_at_peer(); }) {
        return at(stream).look_at_peer();
      } else if constexpr (requires { at(stream).native_handle(); }) {
        std::byte next{};
        const ssize_t there = ::recv(at(stream).native_handle(), &next, 1, MSG_PEEK | MSG_DONTWAIT);
        if (there > 0) return net::peer_state::sending;
        const bool would_block = there < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
        return would_block ? net::peer_state::silent : net::peer_state::gone;
      } else {
        return net::peer_state::sending;
      }
    }
    static tare::detail::link slot(void* stream) noexcept {
      if constexpr (requires { at(stream).detail_slot(); }) {
        return at(stream).detail_slot();
      } else {
        return tare::detail::no_link;
      }
    }
    static net::result<net::endpoint> peer(void* stream) {
      if constexpr (requires { at(stream).peer(); }) {
        return at(stream).peer();
      } else {
        return std::unexpected(std::make_error_code(std::errc::operation_not_supported));
      }
    }
    static std::optional<net::tls::certificate> peer_certificate(void* stream) {
      if constexpr (requires { at(stream).peer_certificate(); }) {
        return at(stream).peer_certificate();
      } else {
        return std::nullopt;
      }
    }
  };

  template <class Stream>
  static constexpr operations operations_of{
      .read = &calls<Stream>::read,
      .try_read = &calls<Stream>::try_read,
      .write = &calls<Stream>::write,
      .try_write = &calls<Stream>::try_write,
      .expires_after = &calls<Stream>::expires_after,
      .expires_never = &calls<Stream>::expires_never,
      .shutdown_write = &calls<Stream>::shutdown_write,
      .abort = &calls<Stream>::abort,
      .readable = &calls<Stream>::readable,
      .writable = &calls<Stream>::writable,
      .buffered_bytes = &calls<Stream>::buffered_bytes,
      .look_at_peer = &calls<Stream>::look_at_peer,
      .slot = &calls<Stream>::slot,
      .peer = &calls<Stream>::peer,
      .peer_certificate = &calls<Stream>::peer_certificate,
  };

  transport(void* stream, const operations* table) noexcept : stream_(stream), operations_(table) {}

  void* stream_;
  const operations* operations_;
};

}  // namespace tare::http::detail
