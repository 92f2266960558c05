// A server of tare::http for each kind of connection, with everything that it does by default: parsing, limits,
// deadlines, Date, pings and heartbeats.

#include <tare/db.hpp>
#include <tare/http.hpp>
#include <tare/http/json.hpp>
#include <tare/http/parameters.hpp>
#include <tare/net.hpp>
#include <tare/tare.hpp>

#include <nlohmann/json.hpp>

#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <tuple>
#include <utility>

namespace {

namespace http = tare::http;
using namespace std::chrono_literals;

tare::task<> hello(http::request& /*asked*/, http::response& answer) {
  (void)co_await answer.send("text/plain", "Hello, world!");
}

tare::task<> echo(http::websocket socket) {
  while (auto got = co_await socket.receive()) {
    if (!co_await socket.send(got->kind, got->data)) break;
  }
}

tare::task<> ten_events(http::event_stream out) {
  for (int i = 0; i < 10; ++i) {
    if (!co_await out.send("an event of a stream that is weighed")) co_return;
  }
  co_await out.wait();
}

tare::task<> respond_with_item(http::response& answer, tare::db::result<tare::db::rows> found) {
  std::optional<std::tuple<std::int64_t, std::string, double>> row;
  unsigned missing = 503;
  if (found) {
    missing = 404;
    auto read = co_await tare::db::first_row<std::int64_t, std::string, double>(*std::move(found));
    if (read) row = *std::move(read);
  }
  if (!row) {
    answer.status(missing);
    (void)co_await answer.send("text/plain", "");
    co_return;
  }
  auto& [id, name, price] = *row;
  nlohmann::json item{{"id", id}, {"name", std::move(name)}, {"price", price}};
  (void)co_await http::send_json(answer, std::move(item), 200);
}

/// As in examples/service: while the request waits for its row, it holds no more than this frame.
tare::task<> find_and_respond(http::response& answer, tare::task<tare::db::result<tare::db::rows>> finding) {
  auto responding = respond_with_item(answer, co_await std::move(finding));
  co_await std::move(responding);
}

/// With SQLite a statement that writes, because readers do not wait there.
http::router items_of(tare::db::pool& database, std::string_view url) {
  const std::string_view statement = url.starts_with("sqlite:")
                                         ? "UPDATE items SET price = price WHERE id = $1 RETURNING id, name, price"
                                         : "SELECT id, name, price FROM items WHERE id = $1";
  http::router routes;
  routes.get("/items/{id}", [&database, statement](http::request& asked, http::response& answer) -> tare::task<> {
    const auto id = http::param<std::int64_t>(asked, "id").value_or(0);
    asked.discard();
    return find_and_respond(answer, database.query(statement, id));
  });
  return routes;
}

/// What the server does with a request to "/". `news` must outlive it.
http::router routes_of(std::string_view kind, http::topic& news) {
  http::router routes;
  if (kind.starts_with("websocket")) {
    routes.websocket("/", echo);
  } else if (kind == "sse") {
    routes.events("/", ten_events);
  } else if (kind == "long-poll") {
    routes.get("/", [&news](http::request& asked, http::response& answer) -> tare::task<> {
      const auto next = co_await news.wait_for(asked, "", 1h);
      (void)co_await answer.send("text/plain", next ? next.data() : "nothing yet");
    });
    routes.get("/release", [&news](http::request& /*asked*/, http::response& answer) -> tare::task<> {
      const auto published = news.publish("Hello, world!");
      answer.status(published ? 200 : 500);
      (void)co_await answer.send("text/plain", "");
    });
  } else {
    routes.get("/", hello);
  }
  return routes;
}

int complain(const char* what, const std::string& why) {
  std::fprintf(stderr, "tare-http: %s: %s\n", what, why.c_str());
  return 1;
}

std::string from_environment(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nothing here changes the environment
  return value == nullptr ? "" : value;
}

tare::task<int> serve(std::uint16_t port, std::string_view kind) {
  auto listening = tare::net::listener::bind(tare::net::endpoint::loopback(port));
  if (!listening) co_return complain("cannot listen", listening.error().message());
  const auto at = listening->local();
  std::printf("listening on %u\nREADY\n", at ? unsigned{at->port()} : 0U);
  std::fflush(stdout);
  if (kind == "database") {
    const std::string url = from_environment("DATABASE_URL");
    auto database = tare::db::pool::open(url, {.connections = 16, .busy_limit = 10min});
    if (!database) co_return complain("DATABASE_URL", database.error().message());
    http::server server(items_of(*database, url));
    const auto ended = co_await server.serve(std::move(*listening));
    co_return ended ? 0 : 1;
  }
  http::topic news;
  http::server server(routes_of(kind, news));
  if (kind == "https" || kind == "websocket-tls") {
    auto secret = tare::net::tls::context::server(
        {.certificate = from_environment("TLS_CERTIFICATE"), .key = from_environment("TLS_KEY")});
    if (!secret) co_return complain("cannot read TLS_CERTIFICATE and TLS_KEY", secret.error().message());
    const auto ended = co_await server.serve(std::move(*listening), std::move(*secret));
    co_return ended ? 0 : 1;
  }
  const auto ended = co_await server.serve(std::move(*listening));
  co_return ended ? 0 : 1;
}

bool is_known(std::string_view kind) {
  for (const std::string_view known : {"http", "https", "websocket", "websocket-tls", "sse", "long-poll", "database"}) {
    if (kind == known) return true;
  }
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::string_view(argv[1]) == "--version") {
    std::printf("%.*s\n", static_cast<int>(tare::version.size()), tare::version.data());
    return 0;
  }
  std::uint16_t port = 0;
  const std::string_view text = argc >= 2 ? argv[1] : "";
  const std::string_view io = argc >= 3 ? argv[2] : "epoll";
  const std::string_view kind = argc >= 4 ? argv[3] : "http";
  const bool known = (io == "epoll" || io == "io_uring") && is_known(kind);
  if (argc > 4 || !known || std::from_chars(text.data(), text.data() + text.size(), port).ec != std::errc()) {
    std::fprintf(stderr, "usage: %s PORT [epoll | io_uring [KIND]]\n", argv[0]);
    return 2;
  }
  tare::runtime rt({.io = io == "io_uring" ? tare::io_kind::io_uring : tare::io_kind::epoll});
  return rt.run(serve(port, kind));
}
