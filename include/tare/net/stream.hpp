#pragma once

// A connected socket: TCP, or Unix-domain.
//
//   tare::task<> echo(tare::net::stream s) {
//     for (;;) {
//       auto got = co_await s.read();                     // a lease: no buffer until bytes are there
//       if (!got || got->empty()) co_return;              // an error, or the end of the stream
//       if (!co_await s.write(got->bytes())) co_return;
//     }
//   }
//
// Bytes: the object is 4, its slot in the shard's table 24. A wait in `read()` holds 8 in the frame, in `read(into)`
// and `write` 24, in the vectored `write` 32. The task above is 72, and its slot: 96 for an idle connection. With the
// work in a child, whose frame is gone while the connection is idle, it is 48, and 72 in all:
//
//   for (;;) {
//     auto got = co_await s.read();
//     if (!got || got->empty() || !co_await answer(s, std::move(*got))) co_return;
//   }
//
// A stream belongs to the shard that made it, and is to be used by tasks of that shard; `release` and `adopt` take it
// to another. One task may read while another writes; two must not do the same at once: the second is given
// std::errc::device_or_resource_busy.

#include <tare/detail/io_wait.hpp>
#include <tare/net/direction.hpp>
#include <tare/net/endpoint.hpp>
#include <tare/net/lease.hpp>
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

// The results of calls. They throw `cancelled` if the wait was given up.
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

/// Of a slot that nobody else owns.
[[nodiscard]] inline stream stream_of(link slot) noexcept;

/// Closes a descriptor and frees its slot; from any thread.
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

/// Move-only. What is awaited here is a cancellation point only when it has to wait. A read that is cancelled has taken
/// nothing from the stream; a `write` that is cancelled may have sent a part.
class stream {
 public:
  /// Of nothing: every operation gives std::errc::bad_file_descriptor.
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

  /// Takes over a connected socket, which is made non-blocking, for the current shard. If it fails, the descriptor
  /// stays the caller's.
  [[nodiscard]] static result<stream> adopt(int fd);

  /// Two ends of a Unix-domain connection, both on the current shard.
  [[nodiscard]] static result<std::pair<stream, stream>> pair();

  /// Waits for bytes, and reads as many as are there and fit: result<std::size_t>, 0 at the end of the stream.
  [[nodiscard]] detail::read_request read(std::span<std::byte> into) noexcept { return {{slot_, into}}; }

  /// Likewise into a buffer lent by the shard: result<lease>, empty at the end of the stream. Gives
  /// std::errc::not_enough_memory if the runtime's ceiling leaves no room for a buffer.
  [[nodiscard]] detail::lease_request read() noexcept { return {detail_wait()}; }

  /// Writes all: result<void>. Tries at once, and waits only while the system's buffer is full. The bytes must outlive
  /// the await.
  [[nodiscard]] detail::write_request write(std::span<const std::byte> bytes) noexcept { return {{slot_, bytes}}; }

  /// Likewise all of several pieces, in one system call if it takes them. The list must outlive the await too.
  [[nodiscard]] detail::write_vector_request write(std::span<const std::span<const std::byte>> pieces) noexcept {
    return {{slot_, pieces}};
  }

  /// Writes as much as the system takes, at least a byte if there is one: result<std::size_t>.
  [[nodiscard]] detail::write_some_request write_some(std::span<const std::byte> bytes) noexcept {
    return {{slot_, bytes}};
  }

  /// Waits until a read, or a write, would find something to do: result<void>. For protocols that read by other means,
  /// TLS for one; these have to go through `try_read` and `try_write`, which keep the books on readiness.
  [[nodiscard]] detail::wait_request readable() noexcept { return {detail_wait()}; }
  [[nodiscard]] detail::wait_write_request writable() noexcept { return {detail_wait()}; }

  /// Without waiting: std::errc::operation_would_block if there is nothing to do now.
  [[nodiscard]] result<std::size_t> try_read(std::span<std::byte> into) noexcept;
  [[nodiscard]] result<lease> try_read() noexcept;
  [[nodiscard]] result<std::size_t> try_write(std::span<const std::byte> bytes) noexcept;

  /// No more will be written: the peer reads the end of the stream. Reading goes on.
  result<void> shutdown_write() noexcept;

  /// Tasks that wait for it are resumed with std::errc::operation_canceled. Closing twice does nothing.
  void close() noexcept {
    if (slot_ != detail::no_link) detail::close_slot(std::exchange(slot_, detail::no_link));
  }

  /// Reads, or writes, or both, that are pending when this much time has passed, and all later ones, give
  /// std::errc::timed_out, until a new deadline is set for the same direction. Each direction has its own, so one
  /// task's does not move another's. For idle limits: setting it is a store, and no timer exists; the shard looks
  /// through its slots. So the end comes up to a quarter of a second late, and after more than 12 days it does not
  /// come.
  void expires_after(std::chrono::nanoseconds time, direction of = direction::both) noexcept;
  void expires_never(direction of = direction::both) noexcept;

  /// Nagle's algorithm off or on. TCP streams of `accept` and `connect` begin with it off.
  result<void> set_no_delay(bool on) noexcept;

  /// This end's address, and the other's.
  [[nodiscard]] result<endpoint> local() const noexcept;
  [[nodiscard]] result<endpoint> peer() const noexcept;

  [[nodiscard]] bool is_open() const noexcept { return slot_ != detail::no_link; }
  /// -1 if there is none. Reading or writing it directly confuses the books on readiness.
  [[nodiscard]] int native_handle() const noexcept;
  /// Gives the descriptor up to the caller, still open and non-blocking. Waiting tasks are resumed as by `close`.
  [[nodiscard]] int release() noexcept;

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
