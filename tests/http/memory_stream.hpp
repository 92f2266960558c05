#pragma once

// A connection in memory, for a server without sockets. The test decides what the client sends, how many bytes it
// accepts, and what happens after that. With the virtual clock, deadlines pass immediately.

#include "io/buffer_pool.hpp"

#include <tare/detail/frame_memory.hpp>
#include <tare/net/lease.hpp>
#include <tare/net/result.hpp>
#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace tare::test {

/// The client's end. It must outlive the stream.
struct wire {
  static constexpr std::size_t unlimited = SIZE_MAX;

  std::string input;             ///< sent by the client, not read by the server
  bool input_ends = false;       ///< it is followed by the end of the stream
  std::string output;            ///< what the server has sent
  std::size_t room = unlimited;  ///< the number of bytes that the client still accepts
  std::error_code write_error;   ///< the error of writes when there is no room; none: they wait
  bool write_ended = false;      ///< shutdown_write was called
  bool closed = false;
  event has_changed;

  void change() {
    has_changed.set();
    has_changed.reset();
  }
  void take(std::size_t bytes = unlimited) {
    room = bytes;
    change();
  }
  void send(std::string_view text) {
    input += text;
    change();
  }
};

class memory_stream {
 public:
  explicit memory_stream(wire& client) noexcept : wire_(&client) {}
  memory_stream(memory_stream&& other) noexcept
      : wire_(std::exchange(other.wire_, nullptr)), deadline_(other.deadline_) {}
  memory_stream& operator=(memory_stream&& other) noexcept {
    std::swap(wire_, other.wire_);
    std::swap(deadline_, other.deadline_);
    return *this;
  }
  memory_stream(const memory_stream&) = delete;
  memory_stream& operator=(const memory_stream&) = delete;
  ~memory_stream() { close(); }

  task<net::result<void>> readable() {
    while (wire_->input.empty() && !wire_->input_ends) {
      const bool changed = co_await changes_in_time();
      if (!changed) co_return std::unexpected(std::make_error_code(std::errc::timed_out));
    }
    co_return {};
  }

  task<net::result<void>> writable() {
    while (wire_->room == 0 && !wire_->write_error) {
      const bool changed = co_await changes_in_time();
      if (!changed) co_return std::unexpected(std::make_error_code(std::errc::timed_out));
    }
    co_return {};
  }

  task<net::result<net::lease>> read() {
    auto ready = co_await readable();
    if (!ready) co_return std::unexpected(ready.error());
    co_return take_input();
  }

  task<net::result<std::size_t>> read(std::span<std::byte> into) {
    auto ready = co_await readable();
    if (!ready) co_return std::unexpected(ready.error());
    const std::size_t count = std::min(into.size(), wire_->input.size());
    std::memcpy(into.data(), wire_->input.data(), count);
    wire_->input.erase(0, count);
    co_return count;
  }

  net::result<net::lease> try_read() noexcept {
    if (wire_->input.empty() && !wire_->input_ends) return std::unexpected(would_block());
    try {
      return take_input();
    } catch (const std::bad_alloc&) {
      return std::unexpected(std::make_error_code(std::errc::not_enough_memory));
    }
  }

  task<net::result<void>> write(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const std::size_t taken = take_output(bytes);
      bytes = bytes.subspan(taken);
      if (taken != 0) continue;
      if (wire_->write_error) co_return std::unexpected(wire_->write_error);
      const bool changed = co_await changes_in_time();
      if (!changed) co_return std::unexpected(std::make_error_code(std::errc::timed_out));
    }
    co_return {};
  }

  task<net::result<void>> write(std::span<const std::span<const std::byte>> several) {
    for (const auto& each : several) {
      auto written = co_await write(each);
      if (!written) co_return written;
    }
    co_return {};
  }

  net::result<std::size_t> try_write(std::span<const std::byte> bytes) noexcept {
    const std::size_t taken = take_output(bytes);
    if (taken == 0 && !bytes.empty()) {
      return std::unexpected(wire_->write_error ? wire_->write_error : would_block());
    }
    return taken;
  }

  net::result<void> shutdown_write() noexcept {
    wire_->write_ended = true;
    return {};
  }

  void close() noexcept {
    if (wire_ != nullptr) wire_->closed = true;
    wire_ = nullptr;
  }

  void expires_after(std::chrono::nanoseconds time) noexcept {
    deadline_ =
        time == std::chrono::nanoseconds::max() ? std::chrono::nanoseconds::max() : now().time_since_epoch() + time;
    wire_->change();  // who waits follows the new deadline
  }
  void expires_never() noexcept { deadline_ = std::chrono::nanoseconds::max(); }

 private:
  static std::error_code would_block() noexcept { return std::make_error_code(std::errc::operation_would_block); }

  /// False if the deadline has passed.
  task<bool> changes_in_time() {
    if (deadline_ == std::chrono::nanoseconds::max()) {
      co_await wire_->has_changed.wait();
      co_return true;
    }
    const auto left = deadline_ - now().time_since_epoch();
    if (left.count() <= 0) co_return false;
    const auto changed = co_await timeout(left, wire_->has_changed.wait());
    co_return changed.has_value();
  }

  net::lease take_input() {
    constexpr std::size_t buffer_bytes = tare::detail::buffer_pool::buffer_bytes;
    const std::size_t count = std::min(buffer_bytes, wire_->input.size());
    if (count == 0) return {};
    auto* const buffer = static_cast<std::byte*>(tare::detail::allocate_record(buffer_bytes));
    std::memcpy(buffer, wire_->input.data(), count);
    wire_->input.erase(0, count);
    return {buffer, count};
  }

  std::size_t take_output(std::span<const std::byte> bytes) {
    EXPECT_FALSE(wire_->write_ended) << "written after shutdown_write";
    const std::size_t count = std::min(bytes.size(), wire_->room);
    wire_->output.append(reinterpret_cast<const char*>(bytes.data()), count);
    if (wire_->room != wire::unlimited) wire_->room -= count;
    return count;
  }

  wire* wire_;
  std::chrono::nanoseconds deadline_ = std::chrono::nanoseconds::max();
};

}  // namespace tare::test
