#pragma once

// Who may publish and subscribe.

#include <tare/http/request.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace push {

struct access {
  std::string token;                 ///< publishers send it as "Authorization: Bearer TOKEN"; empty: none is needed
  std::vector<std::string> origins;  ///< whose pages may publish and connect, besides the gateway's; "*": all

  /// Whether the request has the token. Takes the same time for every wrong one of the same length.
  [[nodiscard]] bool has_token(const tare::http::request& request) const noexcept;
  /// Whether the page that sends the request may. Clients other than browsers send no origin.
  [[nodiscard]] bool has_origin(const tare::http::request& request) const noexcept;
};

}  // namespace push
