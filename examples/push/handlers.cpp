#include "handlers.hpp"

#include "page.hpp"
#include "publisher.hpp"
#include "refusals.hpp"
#include "subscribers.hpp"

#include <tare/http/json.hpp>
#include <tare/http/router.hpp>
#include <tare/memory_budget.hpp>
#include <tare/metrics.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace push {

namespace http = tare::http;
using nlohmann::json;
using tare::task;

namespace {

task<> respond_json(http::response& to, json body) {
  to.set("cache-control", "no-store");
  auto sending = http::send_json(to, std::move(body));
  (void)co_await std::move(sending);
}

/// For the page.
json counters_of(const application& app) {
  const topic_figures seen = app.all.figures();
  json subscribers = json::object();
  for (std::size_t kind = 0; kind < subscriber_names.size(); ++kind) {
    subscribers[std::string(subscriber_names.at(kind))] = seen.subscribers.at(kind);
  }
  return {{"topics", seen.topics},           {"subscribers", std::move(subscribers)},
          {"behind", seen.behind},           {"kept_bytes", seen.kept_bytes},
          {"events", seen.events},           {"deliveries", seen.deliveries},
          {"missed", seen.missed},           {"resets", seen.resets},
          {"memory", tare::memory().held()}, {"budget", tare::memory().limit()}};
}

json described(const application& app, const named_topic& of) {
  return {{"id", app.all.ids().text(app.all.sequence())},
          {"subscribers", of.news.subscribers()},
          {"polls", of.news.polls()},
          {"behind", of.news.behind()},
          {"kept_bytes", of.news.kept_bytes()},
          {"missed", of.news.missed()}};
}

task<> serve_topic(application& app, http::request& request, http::response& to) {
  const named_topic* const found = app.all.find(request.param("name"));
  if (found == nullptr) return respond_refusal(to, {.status = 404, .message = "there is no such topic"});
  return respond_json(to, described(app, *found));
}

task<> serve_file(http::response& to, const page_file& file) {
  to.set("cache-control", "no-cache").set("x-content-type-options", "nosniff");
  to.set("content-security-policy", "default-src 'self'; img-src data:; base-uri 'none'; frame-ancestors 'none'");
  auto sending = to.send(file.type, file.text);
  (void)co_await std::move(sending);
}

/// The part of the path after "/topics/", up to the next slash; nullopt if the path is another one.
std::optional<std::string_view> topic_segment(std::string_view path, std::string_view& rest) noexcept {
  constexpr std::string_view before = "/topics/";
  if (!path.starts_with(before)) return std::nullopt;
  path.remove_prefix(before.size());
  const std::size_t end = std::min(path.find('/'), path.size());
  rest = path.substr(end);
  return path.substr(0, end);
}

/// Why the request is refused before its route sees it, because event streams and WebSockets have responded by then.
std::optional<http::request_error> refusal_of(application& app, const http::request& request, http::response& to) {
  std::string_view rest;
  const auto segment = topic_segment(request.path(), rest);
  if (!segment) return std::nullopt;
  const auto name = http::percent_decode(*segment);
  if (!name || !is_topic_name(*name)) {
    return http::request_error{.message = "the name of a topic is 1 to 64 letters, digits, hyphens and underscores"};
  }
  if (request.method() == "POST") {
    if (!app.allowed.has_origin(request)) {
      app.measured.count_refusal("origin");
      return http::request_error{.status = 403, .message = "pages of this origin may not publish"};
    }
    if (!app.allowed.has_token(request)) {
      app.measured.count_refusal("token");
      to.set("www-authenticate", "Bearer");
      return http::request_error{.status = 401, .message = "publishing needs the token"};
    }
  }
  const bool subscribes = rest == "/events" || rest == "/socket" || rest == "/next";
  if (subscribes && app.all.is_full_for(*name)) {
    app.measured.count_refusal("topics");
    to.set("retry-after", "1");
    return http::request_error{.status = 503, .message = "there are too many topics"};
  }
  return std::nullopt;
}

}  // namespace

task<std::string> metrics_of(application& app, http::serving_figures servers) {
  metrics& set = app.measured;
  set.connections.Set(static_cast<double>(servers.connections));
  set.active.Set(static_cast<double>(servers.active_requests));
  set.set(app.all.figures());
  set.nats_connected.Set(app.shared != nullptr && app.shared->is_connected() ? 1 : 0);
  const tare::runtime_collector figures(app.runtime, &app.watch);
  co_return tare::metrics_text({&set.registry(), &figures});
}

http::handler make_routes(application& app) {
  http::router routes;
  for (const page_file& file : page_files()) {
    routes.get(file.path, [&file](http::request&, http::response& to) { return serve_file(to, file); });
  }
  routes.get("/counters", [&app](http::request&, http::response& to) { return respond_json(to, counters_of(app)); });
  routes.get("/topics/{name}",
             [&app](http::request& request, http::response& to) { return serve_topic(app, request, to); });
  routes.post("/topics/{name}",
              [&app](http::request& request, http::response& to) { return serve_publish(app, request, to); });
  routes.get("/topics/{name}/next",
             [&app](http::request& request, http::response& to) { return serve_next(app, request, to); });
  routes.events("/topics/{name}/events", [&app](http::event_stream out, http::handshake request) {
    return serve_events(app, std::move(out), std::move(request));
  });
  const http::websocket_options options{.max_message_bytes = 4096, .origins = app.allowed.origins};
  routes.websocket(
      "/topics/{name}/socket",
      [&app](http::websocket socket, http::handshake request) {
        return serve_socket(app, std::move(socket), std::move(request));
      },
      options);
  return [&app, routes](http::request& request, http::response& to) {
    auto why = refusal_of(app, request, to);
    return why ? respond_refusal(to, *std::move(why)) : routes(request, to);
  };
}

}  // namespace push
