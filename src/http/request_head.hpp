#pragma once

// The content of a request head, and its validation: the rules of RFC 9112 and RFC 9110 beyond the grammar.

#include "http/message_parser.hpp"

#include <tare/http/fields.hpp>

#include <cstdint>
#include <expected>
#include <string_view>

namespace tare::http::detail {

/// Views into the text that it was parsed from.
struct request_head {
  std::string_view method;
  std::string_view target;     ///< as sent: origin-form, absolute-form or "*"
  std::string_view path;       ///< of the target, as sent; "*" for the whole server
  std::string_view query;      ///< of the target, without the question mark
  std::string_view authority;  ///< of the target, or else from Host; empty if there is neither
  fields_view fields;
  std::uint64_t length = 0;
  std::uint8_t minor_version = 1;
  bool chunked = false;
  bool keep_alive = true;
  bool expects_continue = false;
};

/// Why a request is refused and its connection closed.
struct refusal {
  unsigned status;
  std::string_view why;
};

/// Fills `head` with views into `text`, the complete head that `parser` has accepted.
[[nodiscard]] std::expected<void, refusal> understand_request(std::string_view text, const message_parser& parser,
                                                              request_head& head) noexcept;

/// The response to bytes that `parser` has not accepted.
[[nodiscard]] refusal refuse_request(const message_parser& parser) noexcept;

}  // namespace tare::http::detail
