#include "http/client/connections.hpp"

#include <tare/sleep.hpp>

#include <algorithm>
#include <iterator>
#include <new>
#include <utility>

namespace tare::http::detail {

std::shared_ptr<client_host> client_connections::host(const url& to) {
  std::string key = (to.tls ? "tls " : "") + to.host + ' ' + to.port;
  if (const auto known = hosts_.find(key); known != hosts_.end()) return known->second.lock();
  auto made = std::make_shared<client_host>(hosts_, limits_.per_host);
  made->at_ = hosts_.emplace(std::move(key), made).first;
  return made;
}

std::optional<connection> client_connections::take(const client_host& to) {
  const auto present = now();
  while (!idle_.empty() && present - idle_.front().since > limits_.idle_timeout) idle_.pop_front();
  for (;;) {
    const auto found = std::ranges::find_if(idle_.rbegin(), idle_.rend(),
                                            [&to](const idle_connection& each) { return each.to.get() == &to; });
    if (found == idle_.rend()) return std::nullopt;
    connection kept = std::move(found->kept);
    idle_.erase(std::next(found).base());
    // Bytes that a server has sent without a request must never become the response to the next request.
    if (kept.is_quiet()) return kept;
  }
}

void client_connections::keep(std::shared_ptr<client_host> to, connection connection) noexcept {
  if (limits_.idle == 0) return;
  connection.way().expires_never();
  if (idle_.size() >= limits_.idle) idle_.pop_front();
  try {
    idle_.push_back({.to = std::move(to), .kept = std::move(connection), .since = now()});
  } catch (const std::bad_alloc&) {
    return;
  }
}

}  // namespace tare::http::detail
