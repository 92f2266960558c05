#include <tare/http/router.hpp>

void add(tare::http::router& routes) {
  routes.get("/", [](tare::http::request& /*request*/, tare::http::response& response) { response.status(204); });
}
