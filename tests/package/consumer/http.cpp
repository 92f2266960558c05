// The same for HTTP.

#include <tare/http.hpp>

#include <tare/tare.hpp>

#include <cstdio>
#include <exception>
#include <stdexcept>

namespace {

tare::task<> answer(tare::http::request& /*request*/, tare::http::response& /*response*/) { co_return; }

}  // namespace

int main() {
  try {
    tare::http::router routes;
    routes.get("/items/{id}", answer);
    try {
      routes.get("no slash", answer);
    } catch (const std::invalid_argument&) {
      std::puts("tare::http works from outside");
      return 0;
    }
    std::puts("wrong result");
  } catch (const std::exception& error) {
    std::puts(error.what());
  }
  return 1;
}
