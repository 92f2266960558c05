#pragma once

// A client and a server that follows a script, in virtual time, in the clear and over TLS.

#include "http/scripted_server.hpp"

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace tare::test::client_states {

using namespace std::chrono_literals;
using http::client;
using http::client_request;
using http::errc;

inline constexpr std::string_view ok = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
inline constexpr std::string_view good = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ngood";
inline constexpr std::string_view planted = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nEVIL!";

inline std::string error_text(std::error_code error) { return "error: " + error.message(); }
inline const std::string truncated = error_text(make_error_code(errc::truncated));
inline const std::string malformed = error_text(make_error_code(errc::malformed));
inline const std::string too_slow = error_text(make_error_code(errc::too_slow));
inline const std::string timed_out = error_text(std::make_error_code(std::errc::timed_out));

/// Status and body, or the error.
inline task<std::string> ask(client& asking, client_request request) {
  auto got = co_await asking.send(std::move(request));
  if (!got) co_return error_text(got.error());
  const auto body = co_await got->read_all();
  if (!body) co_return std::to_string(got->status()) + ' ' + error_text(body.error());
  co_return std::to_string(got->status()) + ' ' + *body;
}
/// Not a braced list in a co_await expression, because g++ 12 destroys it twice.
inline client_request request(std::string method, std::string url, std::size_t body_bytes = 0) {
  return {.method = std::move(method), .url = std::move(url), .body = std::string(body_bytes, 'b')};
}

inline task<std::string> get(client& asking, std::string url) {
  return ask(asking, {.method = "GET", .url = std::move(url)});
}

inline task<> answer_all(scripted_peer& peer, std::string_view with) {
  for (;;) {
    const bool received = co_await peer.request();
    if (!received) co_return;
    co_await peer.send(with);
  }
}

class http_client_states : public tare::testing::on_reactors {
 protected:
  /// Calls `use(server)` while the server follows the script, in virtual time.
  static void with(bool tls, tare::test::script script, const std::function<task<>(scripted_server&)>& use) {
    auto chosen = options();
    chosen.clock = tare::clock_kind::virtual_time;
    tare::runtime rt(chosen);
    auto body = [&]() -> task<> {
      scripted_server server(tls, std::move(script));
      co_await server.serve_while(use(server));
    };
    rt.run(body());
  }
};

}  // namespace tare::test::client_states
