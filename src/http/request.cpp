#include <tare/http/request.hpp>

#include "http/characters.hpp"
#include "http/exchange.hpp"

#include <charconv>

namespace tare::http {

std::optional<std::string> percent_decode(std::string_view text, bool plus_is_blank) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t position = 0; position < text.size(); ++position) {
    if (text[position] == '%') {
      if (position + 2 >= text.size()) return std::nullopt;
      unsigned char value = 0;
      const char* end = text.data() + position + 3;
      if (std::from_chars(text.data() + position + 1, end, value, 16).ptr != end) return std::nullopt;
      decoded += static_cast<char>(value);
      position += 2;
    } else {
      decoded += text[position] == '+' && plus_is_blank ? ' ' : text[position];
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
  return of().head("query_value").query_value(name);
}

std::string request::param(std::string_view name) const { return of().head("param").param(name); }

}  // namespace tare::http
