#include <tare/http/router.hpp>

void add(tare::http::router& routes) {
  routes.events("/", [](tare::http::event_stream /*out*/) {});
}
