#pragma once

// A connection whose client has sent all it sends, and accepts everything at once.

#include "io/buffer_pool.hpp"

#include <tare/detail/frame_memory.hpp>
#include <tare/net/lease.hpp>
#include <tare/net/result.hpp>
#include <tare/task.hpp>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <system_error>

namespace tare::http::detail {

/// The client's end. It must outlive the stream.
struct recorded_client {
  std::string_view unread;  ///< what the server has not read of the request
  std::string received;     ///< what the server has written
};

class recorded_stream {
 public:
  explicit recorded_stream(recorded_client& client) noexcept : client_(&client) {}

  static task<net::result<void>> readable() { co_return {}; }

  task<net::result<net::lease>> read() { co_return try_read(); }
  task<net::result<std::size_t>> read(std::span<std::byte> buffer) { co_return take(buffer); }
  net::result<net::lease> try_read() noexcept {
    if (client_->unread.empty()) return {};
    constexpr std::size_t buffer_bytes = tare::detail::buffer_pool::buffer_bytes;
    try {
      auto* const buffer = static_cast<std::byte*>(tare::detail::allocate_record(buffer_bytes));
      return net::lease(buffer, take({buffer, buffer_bytes}));
    } catch (const std::bad_alloc&) {
      return std::unexpected(std::make_error_code(std::errc::not_enough_memory));
    }
  }

  task<net::result<void>> write(std::span<const std::byte> bytes) {
    append(bytes);
    co_return {};
  }
  task<net::result<void>> write(std::span<const std::span<const std::byte>> several) {
    for (const auto bytes : several) append(bytes);
    co_return {};
  }

  static net::result<void> shutdown_write() noexcept { return {}; }
  static void close() noexcept {}

 private:
  std::size_t take(std::span<std::byte> buffer) noexcept {
    const std::size_t count = std::min(buffer.size(), client_->unread.size());
    if (count != 0) std::memcpy(buffer.data(), client_->unread.data(), count);
    client_->unread.remove_prefix(count);
    return count;
  }
  void append(std::span<const std::byte> bytes) {
    client_->received.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }

  recorded_client* client_;
};

}  // namespace tare::http::detail
