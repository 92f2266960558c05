#pragma once

// Path and query parameters as values, and what to respond if a client has sent something else.
//
//   tare::task<> list(http::request& asked, http::response& to) {
//     const auto page = http::query_or<unsigned>(asked, "page", 1);
//     if (!page) { co_await http::refuse(to, page.error()); co_return; }    // 400, "page: not a number: x"
//     ...
//   }

#include <tare/http/request.hpp>
#include <tare/http/response.hpp>
#include <tare/task.hpp>

#include <charconv>
#include <concepts>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>

namespace tare::http {

/// Why a request is refused: the response to send.
struct request_error {
  unsigned status = 400;
  std::string message;  ///< for the client
};

/// A string, a bool ("true", "false", "1", "0"), or a number in decimal.
template <class T>
concept parameter_value =
    std::same_as<T, std::string> || std::same_as<T, bool> || std::integral<T> || std::floating_point<T>;

namespace detail {

[[nodiscard]] request_error bad_parameter(std::string_view name, std::string_view why, std::string_view text);

template <parameter_value T>
std::expected<T, request_error> parse_parameter(std::string_view name, const std::string& text) {
  if constexpr (std::is_same_v<T, std::string>) {
    return text;
  } else if constexpr (std::is_same_v<T, bool>) {
    if (text == "true" || text == "1") return true;
    if (text == "false" || text == "0") return false;
    return std::unexpected(bad_parameter(name, "neither true nor false", text));
  } else {
    T value{};
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (failure == std::errc::result_out_of_range) return std::unexpected(bad_parameter(name, "out of range", text));
    if (failure != std::errc() || end != text.data() + text.size()) {
      return std::unexpected(bad_parameter(name, "not a number", text));
    }
    return value;
  }
}

}  // namespace detail

/// The part of the path that matches "{name}" in the route.
///
/// **Errors** 400 if it is not a T, or if its percent-encoding is invalid. Throws std::bad_alloc. **Bytes** The result.
template <parameter_value T>
[[nodiscard]] std::expected<T, request_error> param(const request& request, std::string_view name) {
  return detail::parse_parameter<T>(name, request.param(name));
}

/// The first value of that name in the query; `otherwise` if there is none.
///
/// **Errors** 400 if it is not a T. Throws std::bad_alloc. **Bytes** The result.
template <parameter_value T>
[[nodiscard]] std::expected<T, request_error> query_or(const request& request, std::string_view name, T otherwise) {
  std::optional<std::string> text = request.query_value(name);
  if (!text) return otherwise;
  return detail::parse_parameter<T>(name, *text);
}

/// The same for a value that must be there.
///
/// **Errors** Also 400 if there is none.
template <parameter_value T>
[[nodiscard]] std::expected<T, request_error> query(const request& request, std::string_view name) {
  std::optional<std::string> text = request.query_value(name);
  if (!text) return std::unexpected(request_error{.message = std::string(name) + ": missing"});
  return detail::parse_parameter<T>(name, *text);
}

/// Responds with the status, and the message as text.
///
/// **Errors** Those of response::send. **Cancellation** As response::send. **Threads** On the shard of the request.
task<result<void>> refuse(response& to, request_error why);

}  // namespace tare::http
