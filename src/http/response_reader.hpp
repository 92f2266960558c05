#pragma once

// Parses responses from the bytes of a connection: head, pieces of the body, end. The client's counterpart of
// request_reader, and equally independent of sockets and tasks.

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
    incomplete,  ///< all bytes were consumed and more are needed
    head,        ///< the head is complete; it stays valid until `next`
    data,        ///< `data()` is a piece of the body, in the bytes that were passed
    complete,
    failed,  ///< see `error()`; close the connection
  };

  explicit response_reader(const response_limits& limits) noexcept
      : limits_(limits), parser_(message_parser::kind::response, limits.fields) {}

  /// Begins the response to a request with this method. After an interim response (1xx), call `next` again.
  void next(std::string_view method) noexcept;

  /// Parses up to the next event. Then `consumed()` bytes of `bytes` have been processed.
  [[nodiscard]] progress feed(std::string_view bytes);
  /// The connection has ended: `complete` if that is the end of the body, otherwise `failed`.
  [[nodiscard]] progress end_of_stream() noexcept;
  [[nodiscard]] std::size_t consumed() const noexcept { return consumed_; }

  [[nodiscard]] unsigned status() const noexcept { return parser_.status(); }
  [[nodiscard]] fields_view fields() const noexcept { return fields_; }
  [[nodiscard]] std::string_view data() const noexcept { return parser_.data(); }
  [[nodiscard]] bool has_body() const noexcept { return has_body_; }
  /// The announced length.
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
