#pragma once

// Parses requests from the bytes of a connection, one after another: head, pieces of the body, end. Independent of
// sockets and tasks, so that tests and fuzzing cover all of it.

#include "http/message_parser.hpp"
#include "http/request_head.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace tare::http::detail {

struct request_limits {
  std::size_t head_bytes = 16U << 10U;
  unsigned fields = 100;
  std::uint64_t body_bytes = 1U << 20U;
};

class request_reader {
 public:
  enum class progress : std::uint8_t {
    incomplete,  ///< all bytes were consumed and more are needed
    head,        ///< `head()` is complete; it stays valid until `next`
    data,        ///< `data()` is a piece of the body, in the bytes that were passed
    complete,    ///< the request is complete
    refused,     ///< `why()` is the response; close the connection afterwards
  };

  explicit request_reader(const request_limits& limits) noexcept
      : limits_(limits), parser_(message_parser::kind::request, limits.fields) {}

  /// Parses up to the next event. Then `consumed()` bytes of `bytes` have been processed.
  [[nodiscard]] progress feed(std::string_view bytes);
  [[nodiscard]] std::size_t consumed() const noexcept { return consumed_; }

  [[nodiscard]] const request_head& head() const noexcept { return head_; }
  [[nodiscard]] bool has_body() const noexcept { return head_.chunked || head_.length > 0; }
  [[nodiscard]] std::string_view data() const noexcept { return parser_.data(); }
  /// Of the current request, as far as it has arrived.
  [[nodiscard]] std::uint64_t body_bytes() const noexcept { return body_bytes_; }
  [[nodiscard]] refusal why() const noexcept { return refusal_; }
  /// The head, as far as it has arrived, until `release_text`.
  [[nodiscard]] std::string_view text() const noexcept { return text_; }
  /// Bytes held by the head.
  [[nodiscard]] std::size_t held_bytes() const noexcept { return text_.capacity(); }
  /// Releases the head of a refused request, which must not be accessed any more.
  void drop_head() noexcept;
  /// Releases the text of the head, and with it the views of `head()`; the body can still be read.
  void release_text() noexcept;
  /// True if bytes of the current request have been passed, other than empty lines before it.
  [[nodiscard]] bool under_way() const noexcept { return !text_.empty(); }

  void limit_body(std::uint64_t bytes) noexcept { limits_.body_bytes = bytes; }

  /// Drops the request and starts the next one.
  void next(const request_limits& limits) noexcept;

 private:
  [[nodiscard]] progress feed_head(std::string_view bytes);
  [[nodiscard]] progress feed_body(std::string_view bytes) noexcept;
  [[nodiscard]] progress refuse(refusal why) noexcept {
    refusal_ = why;
    return progress::refused;
  }

  request_limits limits_;
  message_parser parser_;
  std::string text_;  ///< the head, as far as it has arrived
  request_head head_;
  refusal refusal_{};
  std::size_t consumed_ = 0;
  std::uint64_t body_bytes_ = 0;
  std::uint64_t framing_bytes_ = 0;  ///< chunk sizes, chunk extensions, trailers
  bool in_body_ = false;
};

}  // namespace tare::http::detail
