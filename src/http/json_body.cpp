#include <tare/http/detail/json_body.hpp>

#include "http/characters.hpp"

#include <tare/http/error.hpp>
#include <tare/http/fields.hpp>

namespace tare::http::detail {

bool is_json_type(std::optional<std::string_view> content_type) noexcept {
  if (!content_type) return true;
  constexpr std::string_view prefix = "application/";
  std::string_view type = without_blanks(content_type->substr(0, content_type->find(';')));
  if (type.size() < prefix.size() || !equal_ignoring_case(type.substr(0, prefix.size()), prefix)) return false;
  type.remove_prefix(prefix.size());
  constexpr std::string_view suffix = "+json";
  return equal_ignoring_case(type, "json") ||
         (type.size() > suffix.size() && equal_ignoring_case(type.substr(type.size() - suffix.size()), suffix));
}

request_error unreadable_body(std::error_code why) {
  if (why == errc::body_too_large) return {.status = 413, .message = "the body is too large"};
  if (why == errc::too_slow) return {.status = 408, .message = "the body did not arrive in time"};
  return {.status = 400, .message = "the body could not be read"};
}

}  // namespace tare::http::detail
