#include "io/reactor.hpp"
#include "net/tls/client_hello.hpp"
#include "net/tls/context.hpp"
#include "net/tls/identity.hpp"
#include "net/tls/session.hpp"
#include "sched/usage.hpp"

#include <tare/net/byte_stream.hpp>
#include <tare/net/endpoint.hpp>
#include <tare/net/tls.hpp>

#include <openssl/ssl.h>

#include <chrono>
#include <cstring>
#include <functional>
#include <new>
#include <optional>
#include <utility>

namespace tare::net::tls {

static_assert(byte_stream<stream> && byte_stream<net::stream>);

using tare::detail::reactor;

namespace {

std::unexpected<std::error_code> closed() noexcept {
  return std::unexpected(std::make_error_code(std::errc::bad_file_descriptor));
}

/// A buffer of the shard, borrowed while it is being filled.
class borrowed_buffer {
 public:
  borrowed_buffer() noexcept : buffer_(reactor::if_any()->buffers().take()) {}
  ~borrowed_buffer() {
    if (buffer_ != nullptr) reactor::if_any()->buffers().give_back(buffer_);
  }
  borrowed_buffer(const borrowed_buffer&) = delete;
  borrowed_buffer& operator=(const borrowed_buffer&) = delete;

  [[nodiscard]] std::byte* get() const noexcept { return buffer_; }
  [[nodiscard]] std::byte* release() noexcept { return std::exchange(buffer_, nullptr); }

 private:
  std::byte* buffer_;
};

std::size_t hash_of(std::span<const std::byte> bytes) noexcept {
  return std::hash<std::string_view>()({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

}  // namespace

stream::stream(net::stream below, detail::session_owner session) noexcept
    : below_(std::move(below)), session_(std::move(session)) {}

task<result<stream>> stream::connect(net::stream below, context with, std::string host) {
  if (!below.is_open()) co_return closed();
  const auto remote = below.peer();
  const std::uint16_t port = remote ? remote->port() : std::uint16_t{0};
  auto begun = session::make(with.state_->current().get(), below.slot_, false);
  if (!begun) co_return std::unexpected(begun.error());
  stream made(std::move(below), std::move(*begun));
  if (auto set = set_identity(made.session_->openssl(), host, port); !set) co_return std::unexpected(set.error());
  if (auto agreed = co_await made.handshake(); !agreed) co_return std::unexpected(agreed.error());
  co_return std::move(made);
}

task<result<stream>> stream::accept(net::stream below, context with) {
  if (!below.is_open()) co_return closed();
  if (auto begins = co_await wait_for_client_hello(below); !begins) co_return std::unexpected(begins.error());
  auto begun = session::make(with.state_->current().get(), below.slot_, true);
  if (!begun) co_return std::unexpected(begun.error());
  stream made(std::move(below), std::move(*begun));
  if (auto agreed = co_await made.handshake(); !agreed) co_return std::unexpected(agreed.error());
  co_return std::move(made);
}

task<result<void>> stream::handshake() {
  for (;;) {
    wanted next{};
    auto done = session_->handshake(next);
    if (!done) {
      const bool says_why = session_->sent_alert();
      wanted more{};
      if (says_why && !session_->flush(more)) co_return done;
      session_.reset();
      if (says_why) co_await linger();
      co_return done;
    }
    if (next == wanted::nothing) co_return done;
    const result<void> waited = next == wanted::readable ? co_await below_.readable() : co_await below_.writable();
    if (!waited) co_return waited;
  }
}

// If a socket is closed while bytes of the peer are unread, the system resets the connection, which may destroy an
// alert in transit. So the peer gets a second to receive the alert and to close.
task<> stream::linger() {
  constexpr std::size_t max_dropped_bytes = 1U << 18U;
  if (!below_.shutdown_write()) co_return;
  below_.expires_after(std::chrono::seconds(1));
  for (std::size_t dropped = 0; dropped < max_dropped_bytes;) {
    const auto got = co_await below_.read();
    if (!got || got->empty()) co_return;
    dropped += got->size();
  }
}

result<std::size_t> stream::flushed(wanted& next) noexcept {
  if (auto sent = session_->flush(next); !sent) return std::unexpected(sent.error());
  return std::size_t{0};
}

task<result<std::size_t>> stream::read(std::span<std::byte> buffer) {
  if (buffer.empty()) co_return std::size_t{0};
  for (;;) {
    if (!session_) co_return closed();
    wanted next{};
    auto got = session_->read(buffer, next);
    if (next == wanted::nothing) co_return got;
    const result<void> waited = next == wanted::readable ? co_await below_.readable() : co_await below_.writable();
    if (!waited) co_return std::unexpected(waited.error());
  }
}

result<lease> stream::read_now(wanted& next) noexcept {
  next = wanted::nothing;
  if (!session_) return closed();
  borrowed_buffer buffer;
  if (buffer.get() == nullptr) return std::unexpected(std::make_error_code(std::errc::not_enough_memory));
  const auto got = session_->read({buffer.get(), tare::detail::buffer_pool::buffer_bytes}, next);
  if (!got) return std::unexpected(got.error());
  return *got == 0 ? lease() : lease(buffer.release(), *got);
}

task<result<lease>> stream::read() {
  for (;;) {
    wanted next{};
    if (auto got = read_now(next); next == wanted::nothing) co_return got;
    const result<void> waited = next == wanted::readable ? co_await below_.readable() : co_await below_.writable();
    if (!waited) co_return std::unexpected(waited.error());
  }
}

task<result<void>> stream::readable() {
  if (!session_) co_return closed();
  wanted next{};
  session_->peek(next);
  if (next == wanted::nothing) co_return result<void>();
  const result<void> waited = next == wanted::readable ? co_await below_.readable() : co_await below_.writable();
  co_return waited;
}

task<result<void>> stream::writable() {
  if (!session_) co_return closed();
  co_return co_await below_.writable();
}

bool stream::is_quiet() noexcept {
  if (!session_) return false;
  // The system may have received bytes that the reactor does not know about yet.
  tare::detail::from_link<tare::detail::io_slot>(below_.slot_)->set(tare::detail::io_readable);
  const auto unread = try_read();
  return !unread && unread.error() == std::errc::operation_would_block && session_->at_record_boundary();
}

result<lease> stream::try_read() noexcept {
  if (session_) tare::detail::require_task("tare::net::tls::stream::try_read");
  wanted next{};
  auto got = read_now(next);
  if (next != wanted::nothing) return std::unexpected(std::make_error_code(std::errc::operation_would_block));
  return got;
}

std::size_t stream::take_unreported(std::span<const std::byte> bytes) noexcept {
  record_buffer* const unsent = session_->unsent();
  if (unsent == nullptr) return 0;
  const std::size_t size = std::exchange(unsent->unreported, 0);
  return size <= bytes.size() && hash_of(bytes.first(size)) == unsent->unreported_hash ? size : 0;
}

result<std::size_t> stream::try_write(std::span<const std::byte> bytes) noexcept {
  if (!session_) return closed();
  tare::detail::require_task("tare::net::tls::stream::try_write");
  if (bytes.empty()) return std::size_t{0};
  wanted next{};
  result<std::size_t> written = take_unreported(bytes);
  if (*written == 0) written = session_->write(bytes, next);
  if (!written) return written;
  if (next == wanted::nothing) {
    if (auto sent = session_->flush(next); !sent) return std::unexpected(sent.error());
  }
  if (next == wanted::nothing) return written;
  if (*written != 0) {
    session_->unsent()->unreported = *written;
    session_->unsent()->unreported_hash = hash_of(bytes.first(*written));
  }
  return std::unexpected(std::make_error_code(std::errc::operation_would_block));
}

task<result<void>> stream::write(std::span<const std::byte> bytes) {
  if (bytes.empty()) co_return result<void>();
  if (!session_) co_return closed();
  bytes = bytes.subspan(take_unreported(bytes));
  for (;;) {
    if (!session_) co_return closed();
    wanted next{};
    const result<std::size_t> written = bytes.empty() ? flushed(next) : session_->write(bytes, next);
    if (!written) co_return std::unexpected(written.error());
    if (next == wanted::nothing) {
      if (bytes.empty()) co_return result<void>();
      bytes = bytes.subspan(*written);
      continue;
    }
    const result<void> waited = next == wanted::readable ? co_await below_.readable() : co_await below_.writable();
    if (!waited) co_return waited;
  }
}

task<result<void>> stream::write(std::span<const std::span<const std::byte>> pieces) {
  if (!session_) co_return closed();
  lease gathered;
  std::size_t size = 0;
  for (const auto piece : pieces) size += piece.size();
  if (size <= tare::detail::buffer_pool::buffer_bytes && pieces.size() > 1) {
    borrowed_buffer buffer;
    if (buffer.get() == nullptr) co_return std::unexpected(std::make_error_code(std::errc::not_enough_memory));
    std::byte* cursor = buffer.get();
    for (const auto piece : pieces) {
      if (!piece.empty()) std::memcpy(cursor, piece.data(), piece.size());
      cursor += piece.size();
    }
    gathered = lease(buffer.release(), size);
    co_return co_await write(gathered.bytes());
  }
  for (const auto piece : pieces) {
    if (auto written = co_await write(piece); !written) co_return written;
  }
  co_return result<void>();
}

result<void> stream::shutdown_write() noexcept {
  if (!session_) return closed();
  tare::detail::require_task("tare::net::tls::stream::shutdown_write");
  const deadline_ignored guard(*tare::detail::from_link<tare::detail::io_slot>(below_.slot_));
  wanted next{};
  if (auto sent = session_->send_close_notify(next); !sent) return sent;
  if (next != wanted::nothing) return std::unexpected(std::make_error_code(std::errc::operation_would_block));
  return below_.shutdown_write();
}

std::size_t stream::buffered_bytes() const noexcept { return session_ ? session_->buffered_bytes() : 0; }

std::string_view stream::alpn() const noexcept { return session_ ? session_->alpn() : std::string_view(); }

std::string_view stream::server_name() const noexcept {
  return session_ ? session_->server_name() : std::string_view();
}

std::string_view stream::version() const noexcept { return session_ ? session_->version() : std::string_view(); }

bool stream::resumed() const noexcept { return session_ && session_->resumed(); }

std::optional<certificate> stream::peer_certificate() const {
  return session_ ? session_->peer_certificate() : std::nullopt;
}

}  // namespace tare::net::tls
