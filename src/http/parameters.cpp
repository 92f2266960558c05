#include <tare/http/parameters.hpp>

namespace tare::http {

namespace detail {

request_error bad_parameter(std::string_view name, std::string_view why, std::string_view text) {
  constexpr std::size_t max_shown = 100;
  std::string message;
  message.append(name).append(": ").append(why).append(": ").append(text.substr(0, max_shown));
  // The text comes from the client, and becomes part of a line.
  for (char& each : message) {
    if (static_cast<unsigned char>(each) < 0x20 || each == 0x7F) each = '?';
  }
  return {.message = std::move(message)};
}

}  // namespace detail

task<result<void>> refuse(response& to, request_error why) {
  why.message += '\n';
  to.status(why.status);
  co_return co_await to.send("text/plain; charset=utf-8", why.message);
}

}  // namespace tare::http
