#include "access.hpp"

#include <tare/http/fields.hpp>

#include <algorithm>
#include <cstddef>

namespace push {

bool access::has_token(const tare::http::request& request) const noexcept {
  if (token.empty()) return true;
  constexpr std::string_view scheme = "bearer ";
  const std::string_view given = request.fields().find("authorization").value_or("");
  if (!tare::http::equal_ignoring_case(given.substr(0, scheme.size()), scheme)) return false;
  const std::string_view sent = given.substr(scheme.size());
  if (sent.size() != token.size()) return false;
  unsigned differences = 0;
  for (std::size_t i = 0; i < sent.size(); ++i) {
    differences |= static_cast<unsigned char>(sent[i]) ^ static_cast<unsigned>(static_cast<unsigned char>(token[i]));
  }
  return differences == 0;
}

bool access::has_origin(const tare::http::request& request) const noexcept {
  const auto origin = request.fields().find("origin");
  if (!origin) return true;
  const std::size_t host = origin->find("://");
  if (host != origin->npos && tare::http::equal_ignoring_case(origin->substr(host + 3), request.authority()))
    return true;
  return std::ranges::any_of(
      origins, [&](std::string_view each) { return each == "*" || tare::http::equal_ignoring_case(each, *origin); });
}

}  // namespace push
