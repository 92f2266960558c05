#include <tare/http/router.hpp>

void add(tare::http::router& routes) {
  routes.get("/", [](tare::http::request& /*asked*/, tare::http::response& answer) { answer.status(204); });
}
