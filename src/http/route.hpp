#pragma once

// A route: what a request must match, and its handler.

#include <tare/http/handler.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace tare::http::detail {

struct route {
  struct param {
    std::string name;
    std::size_t segment;  ///< of the path, from 0
    bool is_rest;         ///< "{name...}": it and all that follow
  };

  std::string method;
  std::vector<param> params;
  handler answer;

  [[nodiscard]] bool has_param(std::string_view name) const noexcept;
  /// The part of a path that this route matches, as sent. Empty if the route has no such name.
  [[nodiscard]] std::string_view value_in(std::string_view path, std::string_view name) const noexcept;
};

}  // namespace tare::http::detail
