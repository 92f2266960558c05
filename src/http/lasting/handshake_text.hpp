#pragma once

// What a handshake keeps of a request.

#include "http/request_head.hpp"
#include "http/route.hpp"

#include <tare/http/handshake.hpp>

#include <string>
#include <string_view>

namespace tare::http::detail {

struct handshake_text {
  std::string text;
  place target;
  place path;
  place query;
  place authority;
  place fields;
  matched_route route;

  /// Throws std::bad_alloc.
  [[nodiscard]] static handshake_owner copy(const request_head& head, const matched_route& found);
};

}  // namespace tare::http::detail
