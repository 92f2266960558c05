#pragma once

// The session tickets that a client has received, by server.
//
// A ticket is removed when it is offered. So a failed handshake leaves none behind, and observers cannot link
// connections by a ticket that appears twice (RFC 8446, C.4).

#include <openssl/ssl.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

namespace tare::net::tls {

class ticket_store {
 public:
  struct free_ticket {
    void operator()(SSL_SESSION* freed) const noexcept { ::SSL_SESSION_free(freed); }
  };
  using ticket = std::unique_ptr<SSL_SESSION, free_ticket>;

  static constexpr std::size_t max_servers = 256;
  static constexpr std::size_t max_tickets_per_server = 4;

  /// Throws std::bad_alloc, without any change.
  void add(const std::string& server, ticket added);
  /// The newest ticket that is still valid; nullptr if there is none.
  [[nodiscard]] ticket take(const std::string& server) noexcept;
  [[nodiscard]] std::size_t servers() noexcept;

 private:
  struct entry {
    std::vector<ticket> tickets;   ///< the newest is last
    std::uint64_t last_added = 0;  ///< a counter, to drop the entry that has gone longest without a new ticket
  };

  void make_room(const std::string& server);

  std::mutex lock_;  ///< protects all below
  std::unordered_map<std::string, entry> entries_;
  std::uint64_t added_ = 0;
};

}  // namespace tare::net::tls
