#pragma once

// TLS 1.2 and 1.3 over a stream, by OpenSSL 3.
//
//   auto trusted = tare::net::tls::context::client();                              // the system's authorities
//   auto plain = co_await tare::net::connect("example.org", "443");
//   auto s = co_await tare::net::tls::stream::connect(std::move(*plain), *trusted, "example.org");
//   co_await s->write(request);
//
// A client verifies the server's certificate and that it is for the host it asked for, unless told not to. Session
// tickets are on at both ends: a client that comes back to a host resumes.
//
// Bytes: the object is 16. Under TLS 1.3 OpenSSL's state is there for the handshake only, and a client's until the
// first bytes come; then the two directions' keys remain: 256 bytes, and 64 or more for the names of host and protocol.
// Under TLS 1.2, and where a length of fragments was agreed on, it stays. Buffers are there while there is something in
// them.

#include <tare/net/lease.hpp>
#include <tare/net/result.hpp>
#include <tare/net/stream.hpp>
#include <tare/task.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

struct ssl_ctx_st;

namespace tare::net::tls {

/// OpenSSL's errors. An end of the stream without TLS's own farewell equals std::errc::connection_aborted.
[[nodiscard]] const std::error_category& tls_category() noexcept;
/// Why a certificate was not accepted (X509_V_ERR_...).
[[nodiscard]] const std::error_category& certificate_category() noexcept;

struct client_options {
  bool verify = true;                  ///< false: anybody may answer
  std::string authorities = {};        ///< a file of PEM certificates to trust in place of the system's
  std::vector<std::string> alpn = {};  ///< protocols, best first, such as "http/1.1"
  std::string certificate = {};        ///< our own chain, if the server wants one: a PEM file
  std::string key = {};                ///< its private key
  bool kernel_tls = false;             ///< as of a server
};

struct server_options {
  std::string certificate;              ///< the chain, the server's own first: a PEM file
  std::string key;                      ///< its private key
  std::vector<std::string> alpn = {};   ///< protocols, best first; a client that knows none of them is refused
  std::string client_authorities = {};  ///< PEM; if set, clients must have a certificate of one of them
  /// Where the kernel has TLS, records are made there; OpenSSL's state then stays with each connection.
  bool kernel_tls = false;
};

/// Why a context could not be made. Compares and converts as the std::error_code that it is; `message` names the file
/// that the error is about.
class context_error : public std::error_code {
 public:
  explicit context_error(std::error_code code, std::string file = {}) : std::error_code(code), file_(std::move(file)) {}

  /// Empty if it is about no file.
  [[nodiscard]] const std::string& file() const noexcept { return file_; }
  [[nodiscard]] std::string message() const {
    return file_.empty() ? std::error_code::message() : file_ + ": " + std::error_code::message();
  }

 private:
  std::string file_;
};

/// What many connections share: certificates, trust, session tickets. 16 bytes, a shared pointer; thread-safe. Streams
/// keep what they need of it alive.
class context {
 public:
  /// Reads the files at once, so not for the hot path. **Errors**: OpenSSL's, and the system's for files.
  [[nodiscard]] static std::expected<context, context_error> client(const client_options& options = {});
  [[nodiscard]] static std::expected<context, context_error> server(const server_options& options);

  context(const context&) noexcept = default;
  context(context&&) noexcept = default;
  context& operator=(const context&) noexcept = default;
  context& operator=(context&&) noexcept = default;
  ~context() = default;

 private:
  friend class stream;
  explicit context(std::shared_ptr<ssl_ctx_st> shared) noexcept : shared_(std::move(shared)) {}

  std::shared_ptr<ssl_ctx_st> shared_;
};

class session;
enum class wanted : std::uint8_t;

namespace detail {

struct free_session {
  void operator()(session* freed) const noexcept;
};
using session_owner = std::unique_ptr<session, free_session>;

}  // namespace detail

/// Move-only, but to stay where it is while something is awaited on it; belongs to the shard of its stream. One task
/// may read while another writes.
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

  /// The client's side of the handshake. `host` is what the certificate has to be for: a name, without regard to a dot
  /// at its end, or an address, without regard to its zone. Errors: std::errc::invalid_argument if `host` is neither;
  /// std::errc::connection_aborted if the peer ends the handshake. After an alert of ours the peer gets a second to
  /// read it.
  [[nodiscard]] static task<result<stream>> connect(net::stream below, context with, std::string host);
  /// The server's side.
  [[nodiscard]] static task<result<stream>> accept(net::stream below, context with);

  /// As for net::stream; so are cancellation and errors. A write that is cancelled, or that fails for want of time, may
  /// have sealed a record of which the system has taken only a part: the rest leaves before anything else does.
  [[nodiscard]] task<result<std::size_t>> read(std::span<std::byte> into);
  [[nodiscard]] task<result<lease>> read();
  [[nodiscard]] task<result<void>> write(std::span<const std::byte> bytes);
  /// Small pieces share a record.
  [[nodiscard]] task<result<void>> write(std::span<const std::span<const std::byte>> pieces);

  /// Waits until a read would find something: result<void>. What has come may yet be no whole record, or none of the
  /// user's.
  [[nodiscard]] task<result<void>> readable();
  /// Waits until `try_write` may find room: result<void>.
  [[nodiscard]] task<result<void>> writable();
  /// Whether the peer has sent nothing that has not been read: no byte, no end, no part of a record. Asks the system,
  /// and takes in what belongs to TLS alone, such as tickets.
  [[nodiscard]] bool is_quiet() noexcept;
  /// What is there now: std::errc::operation_would_block if that is not a whole record.
  [[nodiscard]] result<lease> try_read() noexcept;
  /// What can go now: std::errc::operation_would_block if that is nothing, or not a whole record. The record is then
  /// sealed and leaves before any other: the next write is told of its bytes if it begins with the same.
  [[nodiscard]] result<std::size_t> try_write(std::span<const std::byte> bytes) noexcept;

  /// Sends close_notify behind all that has been written, a cancelled write's record included, and ends the stream's
  /// writing side. Does not wait, whatever the deadline. Errors: std::errc::operation_would_block if the system's
  /// buffer is full, then to be called again: close_notify is sent once.
  result<void> shutdown_write() noexcept;

  /// Without close_notify; `shutdown_write` first for that.
  void close() noexcept {
    session_.reset();
    below_.close();
  }

  /// Of the stream below. TLS may have to write in order to read (a key update), and the other way round.
  void expires_after(std::chrono::nanoseconds time, direction of = direction::both) noexcept {
    below_.expires_after(time, of);
  }
  void expires_never(direction of = direction::both) noexcept { below_.expires_never(of); }
  [[nodiscard]] result<endpoint> local() const noexcept { return below_.local(); }
  [[nodiscard]] result<endpoint> peer() const noexcept { return below_.peer(); }
  [[nodiscard]] bool is_open() const noexcept { return below_.is_open(); }
  /// -1 once closed.
  [[nodiscard]] int native_handle() const noexcept { return below_.native_handle(); }

  /// The protocol that was agreed on; empty if none was.
  [[nodiscard]] std::string_view alpn() const noexcept;
  /// The host that the client has asked for (SNI); empty if it did not say.
  [[nodiscard]] std::string_view server_name() const noexcept;
  /// "TLSv1.3".
  [[nodiscard]] std::string_view version() const noexcept;
  /// The handshake was shortened by a session ticket.
  [[nodiscard]] bool resumed() const noexcept;

  /// What it holds of records that have come in part or wait to be sent.
  [[nodiscard]] std::size_t buffered_bytes() const noexcept;

 private:
  stream(net::stream below, detail::session_owner session) noexcept;
  [[nodiscard]] task<result<void>> handshake();
  [[nodiscard]] task<> linger();
  /// A lease, empty at the end of the stream, if `next` is `nothing`.
  [[nodiscard]] result<lease> read_now(wanted& next) noexcept;
  /// How many of them `try_write` has sealed already, and reported to nobody.
  [[nodiscard]] std::size_t take_unreported(std::span<const std::byte> bytes) noexcept;
  [[nodiscard]] result<std::size_t> flushed(wanted& next) noexcept;

  net::stream below_;
  detail::session_owner session_;  ///< goes first: it refers to what is below
};

}  // namespace tare::net::tls
