#include "net/tls/ticket_store.hpp"

#include <algorithm>
#include <ctime>
#include <utility>

namespace tare::net::tls {

namespace {

bool is_good(const SSL_SESSION* ticket) noexcept {
  const auto age =
      static_cast<std::int64_t>(::time(nullptr)) - static_cast<std::int64_t>(::SSL_SESSION_get_time(ticket));
  const auto server_says = static_cast<std::int64_t>(::SSL_SESSION_get_ticket_lifetime_hint(ticket));
  return age >= 0 && age < static_cast<std::int64_t>(::SSL_SESSION_get_timeout(ticket)) &&
         (server_says == 0 || age < server_says) && ::SSL_SESSION_is_resumable(ticket) == 1;
}

}  // namespace

void ticket_store::make_room(const std::string& server) {
  if (entries_.size() < max_servers || entries_.contains(server)) return;
  entries_.erase(std::ranges::min_element(entries_, {}, [](const auto& each) { return each.second.last_added; }));
}

void ticket_store::add(const std::string& server, ticket added) {
  const std::scoped_lock guard(lock_);
  make_room(server);
  entry& its = entries_[server];
  its.tickets.reserve(max_tickets_per_server + 1);
  // For TLS 1.2, only the newest ticket is useful.
  if (::SSL_SESSION_get_protocol_version(added.get()) < TLS1_3_VERSION) its.tickets.clear();
  its.tickets.push_back(std::move(added));
  if (its.tickets.size() > max_tickets_per_server) its.tickets.erase(its.tickets.begin());
  its.last_added = ++added_;
}

ticket_store::ticket ticket_store::take(const std::string& server) noexcept {
  const std::scoped_lock guard(lock_);
  const auto found = entries_.find(server);
  if (found == entries_.end()) return nullptr;
  auto& tickets = found->second.tickets;
  ticket taken;
  while (!tickets.empty() && taken == nullptr) {
    taken = std::move(tickets.back());
    tickets.pop_back();
    if (!is_good(taken.get())) taken.reset();
  }
  if (tickets.empty()) entries_.erase(found);
  return taken;
}

std::size_t ticket_store::servers() noexcept {
  const std::scoped_lock guard(lock_);
  return entries_.size();
}

}  // namespace tare::net::tls
