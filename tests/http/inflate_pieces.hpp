// A compressed message that arrives in pieces.

#pragma once

#include "http/websocket/deflate.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace tare::test {

/// Adds what is left of a message, in pieces, as long as input is needed.
inline void feed(http::detail::message_inflater& to, std::string_view& left, std::size_t piece_bytes) {
  while (to.needs_input()) {
    const std::string_view piece = left.substr(0, piece_bytes);
    left.remove_prefix(piece.size());
    to.add(std::string(piece), left.empty());
  }
}

}  // namespace tare::test
