#pragma once

// A small interface to llhttp, the parser of Node.js, in its strict mode. Also refuses an ambiguity that llhttp
// accepts: line feeds without a carriage return.
//
// It parses bytes as they arrive, in pieces of any size, so invalid input is refused at its first wrong byte. It exists
// only while a message is being read.

#include <llhttp.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tare::http::detail {

/// Checks that CR and LF occur only as pairs. One byte of state, for text that arrives in pieces.
class line_ends {
 public:
  /// False once a lone one has been found.
  [[nodiscard]] bool feed(std::string_view text) noexcept;

 private:
  bool after_return_ = false;
};

class message_parser {
 public:
  enum class kind : std::uint8_t { request, response };
  enum class progress : std::uint8_t {
    incomplete,  ///< all bytes were consumed and more are needed
    head,        ///< the head is complete
    data,        ///< `data()` is a piece of the body
    complete,    ///< the body is complete
    failed,
  };

  message_parser(kind kind, unsigned max_fields) noexcept;
  message_parser(const message_parser&) = delete;
  message_parser& operator=(const message_parser&) = delete;
  ~message_parser() = default;

  /// Starts the next message of the same kind.
  void reset() noexcept;

  /// Parses up to the next event. Then `consumed()` bytes of `bytes` have been processed.
  [[nodiscard]] progress feed(std::string_view bytes) noexcept;
  [[nodiscard]] std::size_t consumed() const noexcept { return consumed_; }
  [[nodiscard]] std::string_view data() const noexcept { return data_; }

  /// For a response to HEAD, which has no body whatever its fields say. Call it before parsing the head.
  void expect_no_body() noexcept { no_body_ = true; }

  // Valid for a complete head.
  [[nodiscard]] unsigned minor_version() const noexcept { return parser_.http_minor; }
  [[nodiscard]] unsigned major_version() const noexcept { return parser_.http_major; }
  [[nodiscard]] unsigned status() const noexcept { return parser_.status_code; }
  [[nodiscard]] bool chunked() const noexcept { return (flags_ & F_CHUNKED) != 0; }
  [[nodiscard]] bool has_length() const noexcept { return (flags_ & F_CONTENT_LENGTH) != 0; }
  [[nodiscard]] std::uint64_t length() const noexcept { return has_length() ? length_ : 0; }
  [[nodiscard]] bool keep_alive() const noexcept { return keep_alive_; }
  /// True for a response whose body ends with the connection.
  [[nodiscard]] bool until_close() const noexcept { return until_close_; }

  // Valid after a failure.
  [[nodiscard]] llhttp_errno_t error() const noexcept { return error_; }
  /// The position of the byte that was not accepted.
  [[nodiscard]] char culprit() const noexcept { return culprit_; }
  [[nodiscard]] bool too_many_fields() const noexcept { return fields_ > max_fields_; }

 private:
  static const llhttp_settings_t settings_;
  static message_parser& of(llhttp_t* parser) noexcept { return *static_cast<message_parser*>(parser->data); }

  /// Runs the parser up to its next stop.
  [[nodiscard]] llhttp_errno_t run(std::string_view bytes, std::size_t& done) noexcept;
  /// How many of these head bytes can be parsed unchanged: up to the next tab in a field.
  [[nodiscard]] std::size_t without_tab(std::string_view bytes) noexcept;
  /// False if a trailer line has no name, or continues the previous line.
  [[nodiscard]] bool take_trailer(std::string_view bytes) noexcept;

  [[nodiscard]] progress fail(llhttp_errno_t error) noexcept {
    error_ = error;
    return progress::failed;
  }

  llhttp_t parser_;
  std::string_view data_;
  std::size_t consumed_ = 0;
  std::uint64_t length_ = 0;
  llhttp_errno_t error_ = HPE_OK;
  unsigned max_fields_;
  unsigned fields_ = 0;
  std::uint16_t flags_ = 0;
  line_ends ends_;
  kind kind_;
  char culprit_ = 0;
  bool keep_alive_ = false;
  bool until_close_ = false;
  bool no_body_ = false;
  bool head_done_ = false;
  bool in_start_line_ = false;  ///< a byte of it has arrived
  bool in_fields_ = false;
  bool in_trailer_ = false;  ///< after the last chunk
  bool at_line_start_ = false;
  progress reached_ = progress::incomplete;
};

}  // namespace tare::http::detail
