#pragma once

// A matched route, stored in the request: the names belong to the route, the values are positions in the request's
// path.

#include <tare/http/handler.hpp>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace tare::http::detail {

struct route {
  std::string method;
  std::vector<std::string> names;  ///< of the parameters, in path order
  handler answer;
};

struct place {
  std::uint32_t begin = 0;
  std::uint32_t size = 0;
};

struct matched_route {
  const route* chosen = nullptr;
  std::array<place, 8> values{};
};

}  // namespace tare::http::detail
