#include <tare/http/server.hpp>

void serve() {
  auto reply = [](tare::http::request&, tare::http::response&) -> tare::task<int> { co_return 1; };
  const tare::http::server serving(reply);
}
