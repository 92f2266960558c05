#pragma once

// Lists of tokens in fields such as Upgrade.

#include "http/characters.hpp"

#include <tare/http/fields.hpp>

#include <optional>
#include <string_view>

namespace tare::http::detail {

/// Whether `chosen` is not empty and all its elements are in `offered`.
[[nodiscard]] inline bool is_among(std::optional<std::string_view> chosen, std::optional<std::string_view> offered) {
  if (!chosen || !offered) return false;
  const auto next = [](std::string_view& list) {
    const std::string_view element = without_blanks(list.substr(0, list.find(',')));
    list.remove_prefix(list.find(',') == std::string_view::npos ? list.size() : list.find(',') + 1);
    return element;
  };
  bool any = false;
  while (!chosen->empty()) {
    const std::string_view wanted = next(*chosen);
    if (wanted.empty()) continue;
    bool found = false;
    for (std::string_view rest = *offered; !rest.empty() && !found;) found = equal_ignoring_case(next(rest), wanted);
    if (!found) return false;
    any = true;
  }
  return any;
}

}  // namespace tare::http::detail
