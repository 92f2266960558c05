#include "http/linger.hpp"

#include <chrono>
#include <cstddef>

namespace tare::http::detail {

// Closing with unread bytes makes the system reset the connection, which may destroy the response in transit (RFC 9112,
// 9.6).
task<> linger(transport connection, std::chrono::nanoseconds limit) {
  constexpr std::size_t max_bytes = 1U << 20U;
  connection.expires_after(limit);
  for (std::size_t dropped = 0; dropped < max_bytes;) {
    auto got = co_await connection.read();
    if (!got || got->empty()) co_return;
    dropped += got->size();
  }
}

task<> announce_end(transport connection, std::chrono::nanoseconds limit) {
  connection.expires_after(limit);
  while (!connection.shutdown_write()) {
    auto ready = co_await connection.writable();
    if (!ready) co_return;
  }
}

}  // namespace tare::http::detail
