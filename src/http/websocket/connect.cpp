// The client's handshake.

#include "http/characters.hpp"
#include "http/websocket/client_socket.hpp"
#include "http/websocket/extensions.hpp"
#include "http/websocket/frame.hpp"
#include "http/websocket/upgrade.hpp"

#include <tare/http/client.hpp>
#include <tare/http/websocket_client.hpp>

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tare::http {

namespace {

/// ws and wss are http and https (RFC 6455, section 3). A fragment has no meaning.
result<std::string> http_url(std::string_view url) {
  const std::size_t colon = url.find("://");
  if (colon == std::string_view::npos || url.find('#') != std::string_view::npos) return std::unexpected(errc::bad_url);
  const bool is_secret = equal_ignoring_case(url.substr(0, colon), "wss");
  if (!is_secret && !equal_ignoring_case(url.substr(0, colon), "ws")) return std::unexpected(errc::bad_url);
  return (is_secret ? "https" : "http") + std::string(url.substr(colon));
}

/// Throws std::invalid_argument.
void check(const websocket_client_options& options) {
  for (const char* own : {"upgrade", "sec-websocket-key", "sec-websocket-version", "sec-websocket-protocol",
                          "sec-websocket-extensions"}) {
    if (options.fields.find(own)) {
      throw std::invalid_argument(std::string("tare::http::websocket::connect: it sets '") + own + "' by itself");
    }
  }
  const std::vector<std::string>& protocols = options.socket.protocols;
  if (protocols.size() >= std::numeric_limits<std::uint8_t>::max()) {
    throw std::invalid_argument("tare::http::websocket::connect: too many subprotocols");
  }
  for (const std::string& each : protocols) {
    if (each.empty() || !detail::all(each, detail::token_character) || std::ranges::count(protocols, each) != 1) {
      throw std::invalid_argument("tare::http::websocket::connect: not a subprotocol, or twice: '" + each + "'");
    }
  }
}

/// 16 random bytes in base64; nothing if there are none.
std::optional<std::string> new_key() {
  std::array<std::byte, 16> random{};
  if (!detail::fill_random(random)) return std::nullopt;
  std::array<unsigned char, 25> encoded{};
  const int length = EVP_EncodeBlock(encoded.data(), reinterpret_cast<const unsigned char*>(random.data()),
                                     static_cast<int>(random.size()));
  return std::string(reinterpret_cast<const char*>(encoded.data()), static_cast<std::size_t>(length));
}

client_request request_for(std::string url, const std::string& key, websocket_client_options& options) {
  client_request request;
  request.url = std::move(url);
  request.fields = std::move(options.fields);
  request.fields.add("upgrade", "websocket").add("sec-websocket-version", "13").add("sec-websocket-key", key);
  std::string offered;
  for (const std::string& each : options.socket.protocols) offered += (offered.empty() ? "" : ", ") + each;
  if (!offered.empty()) request.fields.add("sec-websocket-protocol", offered);
  if (options.socket.compress) request.fields.add("sec-websocket-extensions", detail::deflate_offer);
  return request;
}

client_options options_for(websocket_client_options& options) {
  client_options chosen;
  chosen.max_head_bytes = options.max_head_bytes;
  chosen.connect_timeout = options.connect_timeout;
  chosen.read_timeout = options.handshake_timeout;
  chosen.write_timeout = options.write_timeout;
  chosen.tls = std::move(options.tls);
  chosen.user_agent = std::move(options.user_agent);
  return chosen;
}

/// What the 101 agrees on, if it fits the request (section 4.1).
std::optional<detail::client_socket::agreed> agreed_by(const client_response& response, const std::string& key,
                                                       const websocket_options& options) {
  const fields_view fields = response.fields();
  // http::client has checked the upgrade field.
  if (!fields.has_token("connection", "upgrade")) return std::nullopt;
  if (fields.count("sec-websocket-accept") != 1) return std::nullopt;
  if (fields.find("sec-websocket-accept").value_or("") != detail::accept_key(key)) return std::nullopt;
  const std::optional<bool> compresses = detail::is_deflate_accepted(fields);
  if (!compresses || (*compresses && !options.compress)) return std::nullopt;
  detail::client_socket::agreed on{.compresses = *compresses};
  const auto chosen = fields.find("sec-websocket-protocol");
  if (!chosen) return on;
  const auto found = std::ranges::find(options.protocols, *chosen);
  if (found == options.protocols.end() || fields.count("sec-websocket-protocol") != 1) return std::nullopt;
  on.protocol = static_cast<std::uint8_t>(found - options.protocols.begin() + 1);
  return on;
}

}  // namespace

task<result<websocket>> websocket::connect(std::string url) {
  return connect(std::move(url), websocket_client_options());
}

task<result<websocket>> websocket::connect(std::string url, websocket_client_options options) {
  check(options);
  auto target = http_url(url);
  if (!target) co_return std::unexpected(target.error());
  const auto key = new_key();
  if (!key) co_return std::unexpected(std::make_error_code(std::errc::io_error));
  client_request request = request_for(std::move(*target), *key, options);
  client over(options_for(options));
  auto response = co_await over.send(std::move(request));
  if (!response) co_return std::unexpected(response.error());
  if (response->status() != 101) {
    if (options.on_refusal) options.on_refusal(response->status(), response->fields());
    co_return std::unexpected(errc::not_an_upgrade);
  }
  const auto agreed = agreed_by(*response, *key, options.socket);
  if (!agreed) co_return std::unexpected(errc::malformed);
  upgraded_stream taken = response->take_stream();
  detail::client_socket& made = detail::client_socket::make(taken.take_connection(), taken.take_input(),
                                                            std::move(options.socket), *agreed, options.write_timeout);
  co_return websocket(tare::detail::to_link(&made));
}

}  // namespace tare::http
