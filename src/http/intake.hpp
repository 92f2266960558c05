#pragma once

// What a request needs while its head or its body arrives: the parser, the bytes that it has not consumed, and why the
// rest is refused. It exists only then, and while a pipelined request waits in it.

#include "http/request_reader.hpp"
#include "io/buffer_pool.hpp"

#include <tare/detail/frame_memory.hpp>
#include <tare/net/lease.hpp>

#include <chrono>
#include <cstddef>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

namespace tare::http::detail {

struct intake {
  explicit intake(const request_limits& limits) noexcept : reader(limits) {}
  intake(const intake&) = delete;
  intake& operator=(const intake&) = delete;
  ~intake() = default;

  static void* operator new(std::size_t bytes) { return tare::detail::allocate_block(bytes); }
  static void operator delete(void* room, std::size_t bytes) noexcept { tare::detail::free_block(room, bytes); }

  /// Gets ready for the next request of the connection, parts of which may be in `input`.
  void next(const request_limits& limits) noexcept {
    drop_piece();
    reader.next(limits);
    why.reset();
    read_error = {};
    waited = {};
    skipping = false;
  }

  [[nodiscard]] std::string_view text() const noexcept {
    const auto bytes = input.bytes();
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  /// Releases the buffer of the last piece of the body.
  void drop_piece() noexcept { input.consume(std::exchange(piece_bytes, 0)); }

  [[nodiscard]] std::size_t held_bytes() const noexcept { return sizeof(intake) + reader.held_bytes(); }

  std::chrono::nanoseconds waited{0};  ///< time waited for the body since `reader.body_bytes()` are counted or skipping
                                       ///< began
  const void* not_a_frame = nullptr;   ///< see tare::detail::allocate_block
  net::lease input;
  std::size_t piece_bytes = 0;  ///< at the front of `input`: still in use by the reader of the body
  request_reader reader;
  std::optional<refusal> why;  ///< the response to a request that is refused
  std::error_code read_error;
  bool skipping = false;  ///< an unread body
};

}  // namespace tare::http::detail
