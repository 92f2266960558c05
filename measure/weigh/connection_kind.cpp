#include "measure/weigh/connection_kind.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <vector>

namespace tare::measure {
namespace {

struct description {
  std::string_view name;
  std::string_view title;
  bool over_tls;
};

constexpr std::array all_kinds{connection_kind::http,          connection_kind::https, connection_kind::websocket,
                               connection_kind::websocket_tls, connection_kind::sse,   connection_kind::long_poll,
                               connection_kind::database};

constexpr description describe(connection_kind kind) {
  switch (kind) {
    case connection_kind::http:
      return {"http", "HTTP", false};
    case connection_kind::https:
      return {"https", "HTTPS", true};
    case connection_kind::websocket:
      return {"websocket", "WebSocket", false};
    case connection_kind::websocket_tls:
      return {"websocket-tls", "WebSocket, TLS", true};
    case connection_kind::sse:
      return {"sse", "event stream", false};
    case connection_kind::long_poll:
      return {"long-poll", "long poll", false};
    case connection_kind::database:
      return {"database", "waiting for a database", false};
  }
  return {};
}

}  // namespace

std::span<const connection_kind> connection_kinds() { return all_kinds; }
std::string_view name_of(connection_kind kind) { return describe(kind).name; }
std::string_view title_of(connection_kind kind) { return describe(kind).title; }
bool is_over_tls(connection_kind kind) { return describe(kind).over_tls; }

base::result<connection_kind> parse_connection_kind(std::string_view name) {
  const auto found = std::ranges::find(all_kinds, name, &name_of);
  if (found != all_kinds.end()) return *found;
  return base::input_error(
      fmt::format("no kind of connection is named '{}'; there are: {}", name, names_of(all_kinds)));
}

std::string names_of(std::span<const connection_kind> kinds) {
  std::vector<std::string_view> names;
  names.reserve(kinds.size());
  for (const auto kind : kinds) names.push_back(name_of(kind));
  return fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace tare::measure
