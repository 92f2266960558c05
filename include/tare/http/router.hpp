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
// A segment of the path that stands literally in a route goes before "{name}", and that before "{name...}". A path
// without a route is answered by 404; one that has routes, but none for the method, by 405 with Allow, or for OPTIONS
// by 204. HEAD goes to the handler of GET. Finding a route looks at each segment once and allocates nothing.

#include <tare/http/handler.hpp>

#include <cstddef>
#include <memory>
#include <string_view>

namespace tare::http {

/// Copies share their routes, which must not change while they are in use.
class router {
 public:
  /// Names in one route.
  static constexpr std::size_t max_params = 8;

  router();

  /// Throws std::invalid_argument for a path that does not begin with a slash, has a bad or repeated name, or too many,
  /// and for a route that is there already.
  router& add(std::string_view method, std::string_view path, handler answer);
  router& get(std::string_view path, handler answer) { return add("GET", path, std::move(answer)); }
  router& post(std::string_view path, handler answer) { return add("POST", path, std::move(answer)); }
  router& put(std::string_view path, handler answer) { return add("PUT", path, std::move(answer)); }
  router& patch(std::string_view path, handler answer) { return add("PATCH", path, std::move(answer)); }
  router& del(std::string_view path, handler answer) { return add("DELETE", path, std::move(answer)); }

  /// What answers when no route matches; 404 unless set.
  router& otherwise(handler answer);

  /// The chosen handler's task.
  [[nodiscard]] task<> operator()(request& asked, response& answer) const;

 private:
  struct node;
  struct tree;
  std::shared_ptr<tree> tree_;
};

}  // namespace tare::http
