#include "http/websocket/extensions.hpp"

#include "http/characters.hpp"
#include "http/websocket/deflate.hpp"

#include <cstddef>
#include <cstdint>

namespace tare::http::detail {

namespace {

constexpr std::string_view name_of_field = "sec-websocket-extensions";

/// Takes what is before the next separator that is not in quotation marks.
std::string_view take_until(std::string_view& rest, char separator) noexcept {
  bool is_quoted = false;
  std::size_t position = 0;
  for (; position < rest.size(); ++position) {
    if (is_quoted && rest[position] == '\\') {
      ++position;
    } else if (rest[position] == '"') {
      is_quoted = !is_quoted;
    } else if (rest[position] == separator && !is_quoted) {
      break;
    }
  }
  const std::string_view taken = without_blanks(rest.substr(0, position));
  rest = position >= rest.size() ? std::string_view() : rest.substr(position + 1);
  return taken;
}

/// A number of bits, 8 to 15, without leading zeros; 0 if it is none.
int window_bits_of(std::string_view value) noexcept {
  if (value.size() >= 2 && value.front() == '"' && value.back() == '"') value = value.substr(1, value.size() - 2);
  if (value.size() == 1 && value[0] >= '8' && value[0] <= '9') return value[0] - '0';
  if (value.size() == 2 && value[0] == '1' && value[1] >= '0' && value[1] <= '5') return 10 + value[1] - '0';
  return 0;
}

/// The parameters of one element of the list.
struct deflate_parameters {
  bool is_valid = false;  ///< it is permessage-deflate, and each parameter is known, valid and there once
  bool server_no_takeover = false;
  bool client_no_takeover = false;
  int server_bits = 0;
  int client_bits = 0;
  bool has_client_bits = false;  ///< with or without a number
};

bool read_parameter(std::string_view parameter, deflate_parameters& parameters) noexcept {
  const std::size_t equals = parameter.find('=');
  const std::string_view name = without_blanks(parameter.substr(0, equals));
  const bool has_value = equals != std::string_view::npos;
  const std::string_view value = has_value ? without_blanks(parameter.substr(equals + 1)) : std::string_view();
  const auto once = [](bool& flag) {
    const bool is_first = !flag;
    flag = true;
    return is_first;
  };
  if (equal_ignoring_case(name, "server_no_context_takeover")) return !has_value && once(parameters.server_no_takeover);
  if (equal_ignoring_case(name, "client_no_context_takeover")) return !has_value && once(parameters.client_no_takeover);
  if (equal_ignoring_case(name, "server_max_window_bits")) {
    const bool is_first = parameters.server_bits == 0;
    parameters.server_bits = window_bits_of(value);
    return is_first && parameters.server_bits != 0;
  }
  if (equal_ignoring_case(name, "client_max_window_bits")) {
    parameters.client_bits = window_bits_of(value);
    return once(parameters.has_client_bits) && (!has_value || parameters.client_bits != 0);
  }
  return false;
}

deflate_parameters read_element(std::string_view element) noexcept {
  deflate_parameters read;
  if (!equal_ignoring_case(take_until(element, ';'), "permessage-deflate")) return read;
  while (!element.empty()) {
    if (!read_parameter(take_until(element, ';'), read)) return read;
  }
  read.is_valid = true;
  return read;
}

}  // namespace

std::optional<std::string_view> accept_deflate(fields_view request) noexcept {
  for (const field each : request) {
    if (!equal_ignoring_case(each.name, name_of_field)) continue;
    for (std::string_view rest = each.value; !rest.empty();) {
      const deflate_parameters offered = read_element(take_until(rest, ','));
      if (!offered.is_valid) continue;
      if (offered.server_bits == 0) {
        return "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
      }
      static_assert(message_codec::window_bits == 12);
      if (offered.server_bits >= message_codec::window_bits) {
        return "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12";
      }
    }
  }
  return std::nullopt;
}

std::optional<bool> is_deflate_accepted(fields_view response) noexcept {
  if (!response.contains(name_of_field)) return false;
  if (response.count(name_of_field) != 1) return std::nullopt;
  std::string_view rest = response.find(name_of_field).value_or("");
  const deflate_parameters agreed = read_element(take_until(rest, ','));
  // The server must not keep a context, and must not limit the client's window, since that was not offered.
  if (!rest.empty() || !agreed.is_valid || !agreed.server_no_takeover || agreed.has_client_bits) return std::nullopt;
  return true;
}

}  // namespace tare::http::detail
