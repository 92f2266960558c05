#include <tare/http/request.hpp>

#include "http/characters.hpp"
#include "http/exchange.hpp"
#include "http/route.hpp"

#include <charconv>

namespace tare::http {

std::optional<std::string> percent_decode(std::string_view text, bool plus_is_blank) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '%') {
      if (at + 2 >= text.size()) return std::nullopt;
      unsigned char value = 0;
      const char* end = text.data() + at + 3;
      if (std::from_chars(text.data() + at + 1, end, value, 16).ptr != end) return std::nullopt;
      decoded += static_cast<char>(value);
      at += 2;
    } else {
      decoded += text[at] == '+' && plus_is_blank ? ' ' : text[at];
    }
  }
  return decoded;
}

task<result<std::span<const std::byte>>> request_body::read() { return of_.read_body(); }
task<result<std::string>> request_body::read_all() { return of_.read_whole_body(); }
void request_body::limit(std::uint64_t bytes) noexcept { of_.limit_body(bytes); }

std::optional<std::uint64_t> request_body::length() const noexcept {
  const detail::stored_head& head = of_.head("body().length");
  if (head.chunked()) return std::nullopt;
  return head.length();
}

detail::exchange& request::of() const noexcept {
  return const_cast<detail::exchange&>(static_cast<const detail::exchange&>(*this));
}
std::string_view request::method() const noexcept { return of().head("method").method(); }
std::string_view request::target() const noexcept { return of().head("target").target(); }
std::string_view request::path() const noexcept { return of().head("path").path(); }
std::string_view request::query() const noexcept { return of().head("query").query(); }
std::string_view request::authority() const noexcept { return of().head("authority").authority(); }
fields_view request::fields() const noexcept { return of().head("fields").fields(); }
void request::discard() noexcept { of().discard_head(); }
unsigned request::minor_version() const noexcept { return of().minor_version(); }
net::result<net::endpoint> request::peer() const { return of().connection().peer(); }
std::optional<net::tls::certificate> request::peer_certificate() const { return of().connection().peer_certificate(); }

task<bool> request::reserve(std::size_t bytes) { return of().reserve(bytes); }

std::optional<std::string> request::query_value(std::string_view name) const {
  for (std::string_view rest = query(); !rest.empty();) {
    const std::size_t end = rest.find('&');
    const std::string_view pair = rest.substr(0, end);
    const std::size_t equals = pair.find('=');
    if (percent_decode(pair.substr(0, equals), true) == name) {
      return percent_decode(equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1), true);
    }
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
  }
  return std::nullopt;
}

std::string request::param(std::string_view name) const {
  const detail::stored_head& head = of().head("param");
  if (head.chosen() == nullptr) return {};
  // The percent signs of a target have already been checked.
  return percent_decode(head.chosen()->value_in(head.path(), name)).value_or(std::string());
}

}  // namespace tare::http
