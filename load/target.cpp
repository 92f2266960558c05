#include "load/target.hpp"

#include "load/websocket_client.hpp"

#include <boost/url/error.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>
#include <fmt/format.h>

#include <netdb.h>

#include <charconv>
#include <cstdint>
#include <memory>
#include <system_error>
#include <utility>

namespace tare::load {
namespace {

base::result<net::endpoint> look_up(const std::string& host, std::uint16_t port) {
  if (const auto literal = net::endpoint::parse_address(host, port)) return *literal;
  const addrinfo wanted{.ai_flags = AI_ADDRCONFIG,
                        .ai_family = AF_UNSPEC,
                        .ai_socktype = SOCK_STREAM,
                        .ai_protocol = 0,
                        .ai_addrlen = 0,
                        .ai_addr = nullptr,
                        .ai_canonname = nullptr,
                        .ai_next = nullptr};
  addrinfo* found = nullptr;
  if (const int wrong = ::getaddrinfo(host.c_str(), nullptr, &wanted, &found); wrong != 0) {
    return base::input_error(fmt::format("cannot look up {}: {}", host, ::gai_strerror(wrong)));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owned(found, &::freeaddrinfo);
  net::endpoint first = net::endpoint::from(found->ai_addr, found->ai_addrlen);
  first.set_port(port);
  return first;
}

using measure::connection_kind;

std::string get(std::string_view path, std::string_view host, connection_kind kind = connection_kind::http) {
  std::string more = "Accept: */*\r\n";
  if (kind == connection_kind::sse) more = "Accept: text/event-stream\r\n";
  if (kind == connection_kind::websocket || kind == connection_kind::websocket_tls) {
    more = fmt::format(
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: {}\r\n",
        websocket_client::key);
  }
  return fmt::format("GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: tare\r\n{}\r\n", path, host, more);
}

base::result<target> over_tls(target plain, bool verify) {
  auto trusted = net::tls::context::client({.verify = verify, .alpn = {"http/1.1"}});
  if (!trusted) return base::input_error(fmt::format("cannot set up TLS: {}", trusted.error().message()));
  plain.tls = std::move(*trusted);
  return plain;
}

}  // namespace

base::result<target> parse_target(std::string_view url, bool verify) {
  const auto parsed = boost::urls::parse_uri({url.data(), url.size()});
  if (!parsed || parsed->host().empty()) {
    return base::input_error(fmt::format("'{}' is not a URL such as http://127.0.0.1:8080/", url));
  }
  const std::string scheme = parsed->scheme();
  const bool secret = scheme == "https";
  if (scheme != "http" && !secret) {
    return base::input_error(fmt::format("'{}': only http:// and https:// are understood, not {}://", url, scheme));
  }
  std::uint16_t port = secret ? 443 : 80;
  if (parsed->has_port()) {
    // Not port_number(): it wraps what is too large.
    const std::string_view digits(parsed->port().data(), parsed->port().size());
    const auto [end, wrong] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (wrong != std::errc() || end != digits.data() + digits.size()) port = 0;
  }
  if (port == 0) return base::input_error(fmt::format("'{}' has no usable port", url));
  auto address = look_up(parsed->host_address(), port);
  if (!address) return std::unexpected(address.error());
  std::string path = parsed->encoded_path().empty() ? std::string("/") : std::string(parsed->encoded_path());
  if (parsed->has_query()) path += "?" + std::string(parsed->encoded_query());
  target made{.address = *address,
              .request = get(path, std::string(parsed->encoded_host_and_port())),
              .status = 200,
              .description = std::string(url),
              .host = parsed->host_address()};
  if (secret) return over_tls(std::move(made), verify);
  return made;
}

base::result<target> target_at(const net::endpoint& address, std::string_view path, bool tls, connection_kind kind) {
  const std::string host = address.to_string();
  tls = tls || measure::is_over_tls(kind);
  target made{.address = address,
              .kind = kind,
              .request = get(path, host, kind),
              .status = 200,
              .description = fmt::format("{}://{}{}", tls ? "https" : "http", host, path),
              .host = host.substr(0, host.rfind(':'))};
  if (tls) return over_tls(std::move(made), false);
  return made;
}

}  // namespace tare::load
