#include "service.hpp"

#include <tare/sleep.hpp>

#include <chrono>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <new>
#include <string>
#include <utility>

namespace service {

using namespace std::chrono_literals;
using tare::task;

task<> prepare(application& app, bool seed) {
  std::string complained;
  for (;;) {
    std::string complaint;
    try {
      auto done = co_await app.items.prepare();
      if (done && seed) done = co_await app.items.seed();
      if (done) break;
      complaint = done.error().message();
    } catch (const std::bad_alloc&) {
      complaint = "no memory";  // clients may have used it up
    }
    if (complained != complaint) {
      complained = std::move(complaint);
      std::fprintf(stderr, "service: the database is not ready: %s\n", complained.c_str());
    }
    co_await tare::sleep_for(200ms);
  }
  if (!complained.empty()) std::fputs("service: the database is ready\n", stderr);
}

tare::http::server_options server_options(bool tls) {
  tare::http::server_options chosen;
  chosen.max_body_bytes = max_item_body_bytes;
  chosen.head_timeout = 10s;
  chosen.body_timeout = 10s;
  chosen.request_timeout = 10s;
  chosen.idle_timeout = 75s;
  // The memory of a connection until it is idle again: a buffer, and the frames of a refused request. The TLS state
  // stays.
  chosen.connection_bytes = std::size_t{tls ? 64U : 16U} << 10U;
  chosen.shed_idle = true;
  chosen.request_bytes = request_bytes;
  chosen.on_error = [](const std::exception_ptr& error) {
    try {
      std::rethrow_exception(error);
    } catch (const std::exception& thrown) {
      std::fprintf(stderr, "service: a handler failed: %s\n", thrown.what());
    } catch (...) {
      std::fputs("service: a handler failed\n", stderr);
    }
  };
  return chosen;
}

}  // namespace service
