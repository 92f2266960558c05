#pragma once

// What the access log needs to know of a request in progress: one record of exactly its size, which exists only if the
// server has an `on_response`. It moves from the exchange to the server when the connection becomes a lasting one.

#include <tare/http/access_entry.hpp>
#include <tare/net/endpoint.hpp>
#include <tare/net/result.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <string_view>
#include <system_error>

namespace tare::http::detail {

class server_core;

/// Calls `server_options::on_response`.
void report_access(const server_core& server, const access_entry& entry) noexcept;

class access_note {
 public:
  struct free_note {
    void operator()(access_note* freed) const noexcept;
  };
  using owner = std::unique_ptr<access_note, free_note>;

  /// Begins now. Throws std::bad_alloc.
  [[nodiscard]] static owner make(std::string_view method, std::string_view target,
                                  const net::result<net::endpoint>& peer);
  access_note(const access_note&) = delete;
  access_note& operator=(const access_note&) = delete;
  ~access_note() = default;

  void count(std::size_t sent) noexcept { bytes_ += sent; }
  /// Only the first error is kept: it is the cause of the others.
  void note_error(std::error_code error) noexcept {
    if (!error_) error_ = error;
  }
  [[nodiscard]] bool has_sent() const noexcept { return bytes_ != 0; }
  [[nodiscard]] std::error_code error() const noexcept { return error_; }
  /// Calls `server_options::on_response`.
  void report(const server_core& server, unsigned status, std::error_code error,
              std::exception_ptr exception) const noexcept;
  /// What the record holds.
  [[nodiscard]] std::size_t bytes() const noexcept { return sizeof(access_note) + text_bytes(); }

 private:
  access_note(std::string_view method, std::string_view target, const net::result<net::endpoint>& peer) noexcept;

  [[nodiscard]] std::size_t text_bytes() const noexcept {
    return std::size_t{peer_bytes_} + method_bytes_ + target_bytes_;
  }
  [[nodiscard]] std::string_view part(std::size_t begin, std::size_t size) const noexcept {
    return {reinterpret_cast<const char*>(this + 1) + begin, size};
  }

  std::chrono::nanoseconds begun_;
  [[maybe_unused]] const void* not_a_frame_ = nullptr;  ///< see tare::detail::allocate_block
  std::uint64_t bytes_ = 0;
  std::error_code error_;
  std::error_code no_peer_;
  std::uint32_t target_bytes_;
  std::uint16_t peer_bytes_;
  std::uint16_t method_bytes_;
};

}  // namespace tare::http::detail
