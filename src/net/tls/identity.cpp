#include "net/tls/identity.hpp"

#include "net/tls/context.hpp"

#include <tare/net/endpoint.hpp>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <algorithm>

namespace tare::net::tls {

namespace {

constexpr std::size_t max_name_bytes = 253;
constexpr std::size_t max_label_bytes = 63;

bool is_label(std::string_view text) noexcept {
  const auto is_allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  };
  return !text.empty() && text.size() <= max_label_bytes && std::ranges::all_of(text, is_allowed);
}

/// Labels separated by dots. OpenSSL would treat a name that begins with a dot as a match for every name below it. A
/// name that ends with a number is an IPv4 address in a deprecated form.
bool is_name(std::string_view text) noexcept {
  if (text.size() > max_name_bytes) return false;
  for (;;) {
    const std::size_t dot = std::min(text.find('.'), text.size());
    if (!is_label(text.substr(0, dot))) return false;
    if (dot == text.size()) return text.find_first_not_of("0123456789") != std::string_view::npos;
    text.remove_prefix(dot + 1);
  }
}

}  // namespace

result<identity> identity_of(std::string_view host) {
  if (host.find('\0') == std::string_view::npos) {
    // The zone only says on which interface to reach the address; certificates do not contain it.
    const std::size_t zone = host.find('%');
    std::string address(host.substr(0, zone));
    const auto parsed = endpoint::parse_address(address, 0);
    const bool has_zone = zone != std::string_view::npos;
    if (parsed && (!has_zone || (address.contains(':') && zone + 1 < host.size()))) {
      return identity{.host = std::move(address), .is_address = true};
    }
    if (!has_zone && host.ends_with('.')) host.remove_suffix(1);
    if (is_name(host)) return identity{.host = std::string(host), .is_address = false};
  }
  return std::unexpected(std::make_error_code(std::errc::invalid_argument));
}

result<void> set_identity(SSL* openssl, std::string_view host, std::uint16_t port) {
  const auto whose = identity_of(host);
  if (!whose) return std::unexpected(whose.error());
  const char* const text = whose->host.c_str();
  if (whose->is_address) {
    if (::X509_VERIFY_PARAM_set1_ip_asc(::SSL_get0_param(openssl), text) != 1) {
      ::ERR_clear_error();
      return std::unexpected(std::make_error_code(std::errc::invalid_argument));
    }
  } else if (::SSL_set1_host(openssl, text) != 1 || SSL_set_tlsext_host_name(openssl, text) != 1) {
    return openssl_error();
  }
  context_core::of(::SSL_get_SSL_CTX(openssl))
      .offer_ticket(openssl, normal_name(whose->host) + ' ' + std::to_string(port));
  return {};
}

}  // namespace tare::net::tls
