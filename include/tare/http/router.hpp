#pragma once

// Chooses a handler by method and path.
//
//   http::router routes;
//   routes.get("/items/{id}", [&](http::request& q, http::response& r) -> tare::task<> {
//     co_await r.send("text/plain", shelf.find(q.param("id")));
//   });
//   routes.get("/files/{path...}", send_file);                       // the rest of the path, slashes included
//   http::server server(std::move(routes));
//
// A literal path segment takes precedence over "{name}", and "{name}" over "{name...}". A path without a route gets
// 404. A path that has routes, but none for the method, gets 405 with Allow, or 204 for OPTIONS. HEAD uses the handler
// of GET. Routing visits each segment once and allocates nothing.

#include <tare/http/handler.hpp>

#include <cstddef>
#include <memory>
#include <string_view>

namespace tare::http {

/// Copies share their routes. Do not change routes while they are in use.
class router {
 public:
  /// Maximum number of names in a route.
  static constexpr std::size_t max_params = 8;

  router();

  /// Throws std::invalid_argument if the path does not begin with a slash, has an invalid or repeated name or too many
  /// names, or if the route already exists.
  router& add(std::string_view method, std::string_view path, handler answer);
  router& get(std::string_view path, handler answer) { return add("GET", path, std::move(answer)); }
  router& post(std::string_view path, handler answer) { return add("POST", path, std::move(answer)); }
  router& put(std::string_view path, handler answer) { return add("PUT", path, std::move(answer)); }
  router& patch(std::string_view path, handler answer) { return add("PATCH", path, std::move(answer)); }
  router& del(std::string_view path, handler answer) { return add("DELETE", path, std::move(answer)); }

  /// The handler for requests that match no route; the default responds with 404.
  router& otherwise(handler answer);

  /// The chosen handler's task.
  [[nodiscard]] task<> operator()(request& asked, response& answer) const;

 private:
  struct node;
  struct tree;
  std::shared_ptr<tree> tree_;
};

}  // namespace tare::http
