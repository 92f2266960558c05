#include <tare/http/router.hpp>

#include <memory>

void add(tare::http::router& routes, std::unique_ptr<int> state) {
  routes.get("/", [state = std::move(state)](tare::http::request&, tare::http::response& response) -> tare::task<> {
    (void)co_await response.send("text/plain", "hello");
  });
}
