#pragma once

// TLS 1.2 and 1.3 over a stream, with OpenSSL 3.
//
//   auto trusted = tare::net::tls::context::client();                              // the system's authorities
//   auto plain = co_await tare::net::connect("example.org", "443");
//   auto s = co_await tare::net::tls::stream::connect(std::move(*plain), *trusted, "example.org");
//   co_await s->write(request);
//
// By default a client verifies the server's certificate, and that it was issued for the requested host. Session tickets
// are enabled at both ends: a client that reconnects to a host and port resumes its session. tls_options.hpp has the
// options.
//
// **Bytes** The object is 16. With TLS 1.3, OpenSSL's state exists only during the handshake (a client's until the
// first bytes arrive); afterwards only the keys of both directions remain: 256 bytes, and 64 or more for the host and
// protocol names. With TLS 1.2, or if a maximum fragment length was negotiated, OpenSSL's state stays. Buffers exist
// only while they hold data.

#include <tare/net/lease.hpp>
#include <tare/net/result.hpp>
#include <tare/net/stream.hpp>
#include <tare/net/tls_certificate.hpp>
#include <tare/net/tls_options.hpp>
#include <tare/task.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace tare::net::tls {

/// OpenSSL's errors. An end of the stream without close_notify equals std::errc::connection_aborted.
[[nodiscard]] const std::error_category& tls_category() noexcept;
/// Why a certificate was not accepted (X509_V_ERR_...).
[[nodiscard]] const std::error_category& certificate_category() noexcept;

class context_state;
class session;
enum class wanted : std::uint8_t;

/// Shared by many connections: certificates, trusted authorities, session tickets. 16 bytes, a shared pointer: copies
/// refer to the same context, and `reload` affects all of them. Streams keep what they need of it alive.
///
/// A server encrypts tickets with keys that belong to the context, so a client can resume on any shard. A ticket
/// records the time and the host name of the full handshake. It is valid for `server_options::ticket_lifetime` from
/// then on, for that name, while the client's certificate is valid, and only under the same versions, ciphers and
/// client authorities. Otherwise a full handshake follows.
///
/// A client stores up to 4 tickets for each of 256 pairs of host and port. It uses each ticket of TLS 1.3 once.
class context {
 public:
  /// **Errors** OpenSSL's, the system's for files, and std::errc::invalid_argument for options that contradict each
  /// other.
  /// **Threads** Any. Reads files without suspending, so do not call it on a hot path.
  /// **Bytes** About 10 KB, and the certificates.
  [[nodiscard]] static std::expected<context, context_error> client(const client_options& options = {});
  [[nodiscard]] static std::expected<context, context_error> server(const server_options& options);

  /// Rereads the files. Handshakes that begin later use them; handshakes in progress and existing connections keep what
  /// they have. A server's tickets stay valid.
  /// **Errors** As for making a context. The context is then unchanged.
  /// **Threads** Any. Reads files without suspending.
  /// **Bytes** What was loaded before is freed with the last connection that uses it.
  [[nodiscard]] std::expected<void, context_error> reload();
  /// The same with other options. They must be of the kind that the context was made with; otherwise the program ends
  /// with a message.
  [[nodiscard]] std::expected<void, context_error> reload(const client_options& options);
  [[nodiscard]] std::expected<void, context_error> reload(const server_options& options);

  /// Erases expired ticket keys, and returns how long to wait before calling it again. Each handshake of a server does
  /// this, and so does tare::http::server while it serves; call it elsewhere if there may be no handshake for long.
  /// **Threads** Any.
  [[nodiscard]] std::chrono::nanoseconds erase_old_ticket_keys() noexcept;

  context(const context&) noexcept = default;
  context(context&&) noexcept = default;
  context& operator=(const context&) noexcept = default;
  context& operator=(context&&) noexcept = default;
  ~context() = default;

 private:
  friend class stream;
  explicit context(std::shared_ptr<context_state> state) noexcept : state_(std::move(state)) {}

  std::shared_ptr<context_state> state_;
};

namespace detail {

struct free_session {
  void operator()(session* freed) const noexcept;
};
using session_owner = std::unique_ptr<session, free_session>;

}  // namespace detail

/// Move-only, but must not be moved during an operation. One task may read while another writes.
///
/// **Threads** Belongs to the shard of its stream. **Cancellation** As for net::stream; a cancelled handshake closes
/// the connection.
class stream {
 public:
  stream() noexcept = default;
  stream(stream&&) noexcept = default;
  stream& operator=(stream&& other) noexcept {
    session_ = std::move(other.session_);
    below_ = std::move(other.below_);
    return *this;
  }
  stream(const stream&) = delete;
  stream& operator=(const stream&) = delete;
  ~stream() = default;

  /// The client's side of the handshake. The certificate must be issued for `host`: a name (a trailing dot is ignored)
  /// or an address (its zone is ignored). After sending an alert, waits up to a second for the peer to read it.
  ///
  /// **Errors** std::errc::invalid_argument if `host` is neither; std::errc::connection_aborted if the peer ends the
  /// handshake; OpenSSL's; why the certificate is not accepted.
  static task<result<stream>> connect(net::stream below, context with, std::string host);
  /// The server's side.
  static task<result<stream>> accept(net::stream below, context with);

  /// As for net::stream, including cancellation and errors. A write that is cancelled or times out may have encrypted a
  /// record of which the system accepted only a part: the rest is sent before anything else.
  task<result<std::size_t>> read(std::span<std::byte> buffer);
  task<result<lease>> read();
  task<result<void>> write(std::span<const std::byte> bytes);
  /// Small pieces share a record.
  task<result<void>> write(std::span<const std::span<const std::byte>> pieces);

  /// Waits until a read could find data. Returns result<void>. What has arrived may be only part of a record, or
  /// contain no application data.
  task<result<void>> readable();
  /// Waits until `try_write` may find room. Returns result<void>.
  task<result<void>> writable();
  /// Whether nothing unread has arrived: no byte, no end of stream, no part of a record. Asks the system, and processes
  /// what concerns only TLS, such as tickets.
  [[nodiscard]] bool is_quiet() noexcept;
  /// As net::stream::look_at_peer, for the encrypted bytes: a close_notify counts as bytes.
  [[nodiscard]] peer_state look_at_peer() noexcept { return session_ ? below_.look_at_peer() : peer_state::gone; }
  /// Reads what is available now. **Errors** std::errc::operation_would_block if that is not a whole record.
  [[nodiscard]] result<lease> try_read() noexcept;
  /// Writes what can be sent now. **Errors** std::errc::operation_would_block if that is nothing, or not a whole
  /// record. In the latter case the record is already encrypted and is sent before any other; the next write counts its
  /// bytes if it begins with the same bytes.
  [[nodiscard]] result<std::size_t> try_write(std::span<const std::byte> bytes) noexcept;

  /// Sends close_notify after everything written, including the record of a cancelled write, and ends the stream's
  /// writing side. Never waits, regardless of the deadline. **Errors** std::errc::operation_would_block if the system's
  /// buffer is full; call it again then: close_notify is sent once.
  result<void> shutdown_write() noexcept;

  /// Sends no close_notify; call `shutdown_write` first for that.
  void close() noexcept {
    session_.reset();
    below_.close();
  }

  /// Applies to the underlying stream. TLS may have to write in order to read (a key update), and vice versa.
  void expires_after(std::chrono::nanoseconds time, direction which = direction::both) noexcept {
    below_.expires_after(time, which);
  }
  void expires_never(direction which = direction::both) noexcept { below_.expires_never(which); }
  [[nodiscard]] result<endpoint> local() const noexcept { return below_.local(); }
  [[nodiscard]] result<endpoint> peer() const noexcept { return below_.peer(); }
  [[nodiscard]] bool is_open() const noexcept { return below_.is_open(); }
  /// -1 once closed.
  [[nodiscard]] int native_handle() const noexcept { return below_.native_handle(); }

  /// The negotiated protocol; empty if none.
  [[nodiscard]] std::string_view alpn() const noexcept;
  /// The host that the client requested (SNI); empty if it sent none.
  [[nodiscard]] std::string_view server_name() const noexcept;
  /// Such as "TLSv1.3".
  [[nodiscard]] std::string_view version() const noexcept;
  /// Whether a session ticket abbreviated the handshake.
  [[nodiscard]] bool resumed() const noexcept;
  /// The peer's certificate, also if the session was resumed. A server returns that of the client, which it has
  /// verified. A client returns that of the server if `client_options::keep_server_certificate` is set; it is verified
  /// unless `verify` is off. Empty otherwise.
  /// **Errors** Throws std::bad_alloc.
  /// **Bytes** The result, made by each call. The connection keeps the certificate's DER, and nothing if there is
  /// none.
  [[nodiscard]] std::optional<certificate> peer_certificate() const;

  /// Bytes held for partially received records and for records waiting to be sent.
  [[nodiscard]] std::size_t buffered_bytes() const noexcept;

  /// For the library: the slot of the descriptor.
  [[nodiscard]] tare::detail::link detail_slot() const noexcept { return below_.detail_slot(); }

 private:
  stream(net::stream below, detail::session_owner session) noexcept;
  task<result<void>> handshake();
  task<> linger();
  /// A lease, empty at the end of the stream, if `next` is `nothing`.
  [[nodiscard]] result<lease> read_now(wanted& next) noexcept;
  /// How many of `bytes` `try_write` has already encrypted without reporting them.
  [[nodiscard]] std::size_t take_unreported(std::span<const std::byte> bytes) noexcept;
  [[nodiscard]] result<std::size_t> flushed(wanted& next) noexcept;

  net::stream below_;
  detail::session_owner session_;  ///< destroyed first: it refers to `below_`
};

}  // namespace tare::net::tls
