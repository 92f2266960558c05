#include <tare/http/router.hpp>

void add(tare::http::router& routes) {
  routes.websocket("/", [](tare::http::request&, tare::http::response&) -> tare::task<> { co_return; });
}
