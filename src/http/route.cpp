#include "http/route.hpp"

#include <algorithm>

namespace tare::http::detail {

bool route::has_param(std::string_view name) const noexcept {
  return std::ranges::find(params, name, &param::name) != params.end();
}

std::string_view route::value_in(std::string_view path, std::string_view name) const noexcept {
  const auto found = std::ranges::find(params, name, &param::name);
  if (found == params.end()) return {};
  std::string_view rest = path.substr(1);
  for (std::size_t i = 0; i < found->segment; ++i) {
    const std::size_t slash = rest.find('/');
    rest = slash == std::string_view::npos ? std::string_view() : rest.substr(slash + 1);
  }
  return found->is_rest ? rest : rest.substr(0, rest.find('/'));
}

}  // namespace tare::http::detail
