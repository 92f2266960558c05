#pragma once

// Reason phrases of status codes.

#include <string_view>

namespace tare::http {

/// "Not Found" for 404; "Unknown" for a code that RFC 9110 and related RFCs do not define.
[[nodiscard]] std::string_view reason_phrase(unsigned status) noexcept;

/// 1xx, 204 and 304 never have a body (RFC 9112, 6.3).
[[nodiscard]] constexpr bool has_no_body(unsigned status) noexcept {
  return status < 200 || status == 204 || status == 304;
}

}  // namespace tare::http
