#pragma once

// A connected socket: TCP, or Unix-domain.
//
//   tare::task<> echo(tare::net::stream s) {
//     for (;;) {
//       auto got = co_await s.read();                     // a lease: no buffer until bytes arrive
//       if (!got || got->empty()) co_return;              // an error, or the end of the stream
//       if (!co_await s.write(got->bytes())) co_return;
//     }
//   }
//
// **Bytes** The object is 4, its slot in the shard's table 24. A wait in `read()` holds 8 in the frame, in `read(into)`
// and `write` 24, in the vectored `write` 32. The task above is 72, plus its slot: 96 per idle connection. If a child
// does the work, its frame does not exist while the connection is idle; then the task is 48, and 72 in total:
//
//   for (;;) {
//     auto got = co_await s.read();
//     if (!got || got->empty() || !co_await answer(s, std::move(*got))) co_return;
//   }
//
// A stream belongs to the shard that made it, and only tasks of that shard may use it; move it to another shard with
// `release` and `adopt`. One task may read while another writes. If two tasks read, or two write, at the same time, the
// second gets std::errc::device_or_resource_busy.

#include <tare/detail/io_wait.hpp>
#include <tare/detail/select_io_arm.hpp>
#include <tare/net/direction.hpp>
#include <tare/net/endpoint.hpp>
#include <tare/net/lease.hpp>
#include <tare/net/peer_state.hpp>
#include <tare/net/result.hpp>

#include <chrono>
#include <cstddef>
#include <span>
#include <system_error>
#include <utility>

namespace tare::net {

class stream;
namespace tls {
class stream;
}

namespace detail {

using tare::detail::io_call;
using tare::detail::link;
using tare::detail::no_link;

[[nodiscard]] inline std::unexpected<std::error_code> failed(int error) noexcept {
  return std::unexpected(std::error_code(error, std::generic_category()));
}

// Results of calls. They throw `cancelled` if the wait was cancelled.
inline result<std::size_t> take_count() {
  const tare::detail::io_taken taken = tare::detail::io_take();
  if (taken.error != 0) return failed(taken.error);
  return taken.count;
}
inline result<void> take_done() {
  const tare::detail::io_taken taken = tare::detail::io_take();
  if (taken.error != 0) return failed(taken.error);
  return {};
}
inline result<lease> take_lease() {
  const tare::detail::io_taken taken = tare::detail::io_take();
  if (taken.error != 0) return failed(taken.error);
  return lease(taken.buffer, taken.count);
}
inline result<stream> take_stream();

/// Wraps a slot that nothing else owns.
[[nodiscard]] inline stream stream_of(link slot) noexcept;

/// Closes a descriptor and frees its slot; any thread.
void close_slot(link closed) noexcept;

using wait_request = tare::detail::io_request<tare::detail::io_wait, io_call::readable, &take_done>;
using wait_write_request = tare::detail::io_request<tare::detail::io_wait, io_call::writable, &take_done>;
using read_request = tare::detail::io_request<tare::detail::io_read_wait, io_call::read, &take_count>;
using lease_request = tare::detail::io_request<tare::detail::io_wait, io_call::read_lease, &take_lease>;
using write_some_request = tare::detail::io_request<tare::detail::io_write_wait, io_call::write_some, &take_count>;
using write_request = tare::detail::io_request<tare::detail::io_write_wait, io_call::write, &take_done>;
using write_vector_request =
    tare::detail::io_request<tare::detail::io_write_vector_wait, io_call::write_vector, &take_done>;

}  // namespace detail

/// Move-only. **Cancellation** Each operation is a cancellation point only if it has to wait. A cancelled read has
/// taken nothing from the stream; a cancelled `write` may have sent part of its bytes.
class stream {
 public:
  /// A closed stream: every operation returns std::errc::bad_file_descriptor.
  stream() noexcept = default;
  stream(stream&& other) noexcept : slot_(std::exchange(other.slot_, detail::no_link)) {}
  stream& operator=(stream&& other) noexcept {
    stream moved(std::move(other));
    std::swap(slot_, moved.slot_);
    return *this;
  }
  stream(const stream&) = delete;
  stream& operator=(const stream&) = delete;
  ~stream() { close(); }

  /// Takes ownership of a connected socket for the current shard and makes it non-blocking. On failure the caller keeps
  /// the descriptor.
  [[nodiscard]] static result<stream> adopt(int fd);

  /// The two ends of a Unix-domain connection, both on the current shard.
  [[nodiscard]] static result<std::pair<stream, stream>> pair();

  /// Waits for bytes, and reads as many as are available and fit. Returns result<std::size_t>, 0 at the end of the
  /// stream.
  detail::read_request read(std::span<std::byte> buffer) noexcept { return {{slot_, buffer}}; }

  /// The same into a buffer borrowed from the shard. Returns result<lease>, empty at the end of the stream. **Errors**
  /// std::errc::not_enough_memory if the runtime's frame limit leaves no room for a buffer.
  detail::lease_request read() noexcept { return {detail_wait()}; }

  /// Writes all bytes. Returns result<void>. Waits only while the system's buffer is full. The bytes must outlive the
  /// await.
  detail::write_request write(std::span<const std::byte> bytes) noexcept { return {{slot_, bytes}}; }

  /// Writes all of several pieces, in one system call if the system accepts them. The list must outlive the await too.
  detail::write_vector_request write(std::span<const std::span<const std::byte>> pieces) noexcept {
    return {{slot_, pieces}};
  }

  /// Writes as much as the system accepts, at least one byte if `bytes` is not empty. Returns result<std::size_t>.
  detail::write_some_request write_some(std::span<const std::byte> bytes) noexcept { return {{slot_, bytes}}; }

  /// Waits until a read, or a write, could make progress. Returns result<void>. For protocols that do their own
  /// reading, such as TLS; these must use `try_read` and `try_write`, which track readiness.
  detail::wait_request readable() noexcept { return {detail_wait()}; }
  detail::wait_write_request writable() noexcept { return {detail_wait()}; }

  /// Without waiting. **Errors** std::errc::operation_would_block if no progress is possible now.
  [[nodiscard]] result<std::size_t> try_read(std::span<std::byte> buffer) noexcept;
  [[nodiscard]] result<lease> try_read() noexcept;
  [[nodiscard]] result<std::size_t> try_write(std::span<const std::byte> bytes) noexcept;

  /// What the peer has done, as far as it is known now; reads nothing. For a task that waits for something else: the
  /// kernel is asked only if it has announced bytes or an end.
  ///
  /// **Errors** `gone` if the stream is closed. **Cancellation** Does not wait. **Threads** The stream's shard.
  /// **Bytes** None.
  [[nodiscard]] peer_state look_at_peer() noexcept;

  /// Ends the writing side: the peer reads the end of the stream. Reading remains possible.
  result<void> shutdown_write() noexcept;

  /// Waiting tasks resume with std::errc::operation_canceled. A second call does nothing.
  void close() noexcept {
    if (slot_ != detail::no_link) detail::close_slot(std::exchange(slot_, detail::no_link));
  }

  /// When `time` has passed, pending and later operations in this direction return std::errc::timed_out until you set a
  /// new deadline for it. Each direction has its own deadline, so one task does not move another's. Meant for idle
  /// limits: setting it is a single store, and no timer exists, because the shard scans its slots. Therefore it expires
  /// up to a quarter of a second late, and a deadline more than 12 days away never expires.
  void expires_after(std::chrono::nanoseconds time, direction which = direction::both) noexcept;
  void expires_never(direction which = direction::both) noexcept;

  /// Turns Nagle's algorithm off or on. It is off for TCP streams of `accept` and `connect`.
  result<void> set_no_delay(bool on) noexcept;

  /// The addresses of this end and of the peer.
  [[nodiscard]] result<endpoint> local() const noexcept;
  [[nodiscard]] result<endpoint> peer() const noexcept;

  [[nodiscard]] bool is_open() const noexcept { return slot_ != detail::no_link; }
  /// -1 if closed. Do not read or write it directly: that breaks the tracking of readiness.
  [[nodiscard]] int native_handle() const noexcept;
  /// Transfers ownership of the descriptor, still open and non-blocking, to the caller. Waiting tasks resume as after
  /// `close`.
  [[nodiscard]] int release() noexcept;

  /// For the library: the slot of the descriptor.
  [[nodiscard]] tare::detail::link detail_slot() const noexcept { return slot_; }

 private:
  friend stream detail::stream_of(detail::link slot) noexcept;
  friend class tls::stream;
  explicit stream(detail::link slot) noexcept : slot_(slot) {}
  [[nodiscard]] tare::detail::io_wait detail_wait() const noexcept { return tare::detail::io_wait(slot_); }

  detail::link slot_ = detail::no_link;
};
static_assert(sizeof(stream) == 4);

namespace detail {

inline stream stream_of(link slot) noexcept { return stream(slot); }

inline result<stream> take_stream() {
  const tare::detail::io_taken taken = tare::detail::io_take();
  if (taken.error != 0) return failed(taken.error);
  return stream_of(taken.count);
}

}  // namespace detail

}  // namespace tare::net
