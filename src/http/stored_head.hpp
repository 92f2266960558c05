#pragma once

// The head of a request while its handler runs: the text as it arrived, and where its parts are. One record of exactly
// its size in the shard's heap. The parser and the buffers that the head arrived in are gone by then.

#include "http/request_head.hpp"

#include <tare/http/fields.hpp>
#include <tare/http/handshake.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tare::http::detail {

struct route;

class stored_head {
 public:
  using owner = handshake_owner;

  /// Copies the text that `head` refers to. Throws std::bad_alloc.
  [[nodiscard]] static owner make(const request_head& head);
  /// Throws std::bad_alloc.
  [[nodiscard]] owner copy() const;
  stored_head(const stored_head&) = delete;
  stored_head& operator=(const stored_head&) = delete;
  ~stored_head() = default;

  [[nodiscard]] std::string_view method() const noexcept { return part(0, method_bytes_); }
  [[nodiscard]] std::string_view target() const noexcept { return part(method_bytes_ + 1U, target_bytes_); }
  [[nodiscard]] std::string_view path() const noexcept {
    return path_bytes_ == 0 ? std::string_view("/") : part(path_at_, path_bytes_);
  }
  [[nodiscard]] std::string_view query() const noexcept {
    const std::string_view whole = target();
    const std::size_t path_end = path_at_ + path_bytes_ - (method_bytes_ + 1U);
    return path_end < whole.size() ? whole.substr(path_end + 1) : std::string_view();
  }
  [[nodiscard]] std::string_view authority() const noexcept { return part(authority_at_, authority_bytes_); }
  [[nodiscard]] fields_view fields() const noexcept { return fields_view(part(fields_at_, text_bytes_ - fields_at_)); }
  [[nodiscard]] std::uint64_t length() const noexcept { return length_; }
  [[nodiscard]] bool chunked() const noexcept { return chunked_; }

  /// The route whose handler answers, which names parts of the path.
  void set_route(const route& chosen) noexcept { route_ = &chosen; }
  [[nodiscard]] const route* chosen() const noexcept { return route_; }

  /// What `request` and `handshake` promise of the functions with these names.
  [[nodiscard]] std::optional<std::string> query_value(std::string_view name) const;
  [[nodiscard]] std::string param(std::string_view name) const;

  /// What the record holds.
  [[nodiscard]] std::size_t bytes() const noexcept { return sizeof(stored_head) + text_bytes_; }

 private:
  stored_head(const request_head& head, std::string_view text) noexcept;

  [[nodiscard]] std::string_view part(std::size_t begin, std::size_t size) const noexcept {
    return {reinterpret_cast<const char*>(this + 1) + begin, size};
  }

  std::uint64_t length_;
  [[maybe_unused]] const void* not_a_frame_ = nullptr;  ///< see tare::detail::allocate_block
  const route* route_ = nullptr;
  std::uint32_t text_bytes_;    ///< from the method to the end of the last field
  std::uint32_t target_bytes_;  ///< it follows the method
  std::uint32_t path_at_;
  std::uint32_t path_bytes_ = 0;  ///< 0: the target is a URL without a path
  std::uint32_t authority_at_ = 0;
  std::uint32_t authority_bytes_;
  std::uint32_t fields_at_;
  std::uint8_t method_bytes_;
  bool chunked_;
};
static_assert(sizeof(stored_head) == 56);

}  // namespace tare::http::detail
