#pragma once

// Reads responses out of the bytes of a connection: head, pieces of the body, end. The client's counterpart of
// request_reader, and like it without sockets and tasks.

#include "http/message_parser.hpp"

#include <tare/http/error.hpp>
#include <tare/http/fields.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tare::http::detail {

struct response_limits {
  std::size_t head_bytes = 64U << 10U;
  unsigned fields = 200;
};

class response_reader {
 public:
  enum class progress : std::uint8_t {
    incomplete,  ///< all bytes were taken and more are needed
    head,        ///< the head is complete; it stays until `next`
    data,        ///< `data()` is a piece of the body, somewhere in the bytes that were fed
    complete,
    failed,  ///< `error()`; the connection has to be closed
  };

  explicit response_reader(const response_limits& limits) noexcept
      : limits_(limits), parser_(message_parser::kind::response, limits.fields) {}

  /// Begins the response to a request of this method. An interim response (1xx) is followed by another `next`.
  void next(std::string_view method) noexcept;

  /// Reads on until something is to be told. `consumed()` bytes of `bytes` are done with then.
  [[nodiscard]] progress feed(std::string_view bytes);
  /// The connection has ended: `complete` if the body was to end so, otherwise `failed`.
  [[nodiscard]] progress end_of_stream() noexcept;
  [[nodiscard]] std::size_t consumed() const noexcept { return consumed_; }

  [[nodiscard]] unsigned status() const noexcept { return parser_.status(); }
  [[nodiscard]] fields_view fields() const noexcept { return fields_; }
  [[nodiscard]] std::string_view data() const noexcept { return parser_.data(); }
  [[nodiscard]] bool has_body() const noexcept { return has_body_; }
  /// The length that was announced.
  [[nodiscard]] std::optional<std::uint64_t> length() const noexcept;
  [[nodiscard]] bool keep_alive() const noexcept { return parser_.keep_alive() && !parser_.until_close(); }
  [[nodiscard]] errc error() const noexcept { return error_; }
  [[nodiscard]] bool under_way() const noexcept { return !text_.empty(); }

 private:
  [[nodiscard]] progress fail(errc why) noexcept {
    error_ = why;
    return progress::failed;
  }
  [[nodiscard]] progress feed_head(std::string_view bytes);
  [[nodiscard]] bool understand() noexcept;

  response_limits limits_;
  message_parser parser_;
  std::string text_;
  fields_view fields_;
  std::size_t consumed_ = 0;
  std::uint64_t body_bytes_ = 0;
  std::uint64_t framing_bytes_ = 0;
  errc error_ = errc::malformed;
  bool answers_head_ = false;
  bool in_body_ = false;
  bool has_body_ = false;
};

}  // namespace tare::http::detail
