#pragma once

// The connections of a client: the idle ones, and the limit of active ones per host.

#include "http/client/url.hpp"

#include <tare/http/detail/connection.hpp>
#include <tare/semaphore.hpp>

#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace tare::http::detail {

class client_host;
using client_hosts = std::map<std::string, std::weak_ptr<client_host>, std::less<>>;

/// One scheme, host and port; exists as long as a call or an idle connection refers to it.
class client_host {
 public:
  client_host(client_hosts& all, std::size_t max_connections) : permits(max_connections), all_(all), at_(all.end()) {}
  client_host(const client_host&) = delete;
  client_host& operator=(const client_host&) = delete;
  ~client_host() {
    if (at_ != all_.end()) all_.erase(at_);
  }

  semaphore permits;  ///< for active connections

 private:
  friend class client_connections;
  client_hosts& all_;
  client_hosts::iterator at_;
};

struct connection_limits {
  std::size_t per_host;
  std::size_t idle;
  std::chrono::nanoseconds idle_timeout;
};

class client_connections {
 public:
  explicit client_connections(const connection_limits& limits) noexcept : limits_(limits) {}

  [[nodiscard]] std::shared_ptr<client_host> host(const url& to);

  /// The most recently used connection to `to` on which its server has neither sent anything nor closed.
  [[nodiscard]] std::optional<connection> take(const client_host& to);

  /// Keeps a connection for the host's next request. Closes it instead if there is no memory for that.
  void keep(std::shared_ptr<client_host> to, connection connection) noexcept;

  [[nodiscard]] std::size_t idle() const noexcept { return idle_.size(); }
  [[nodiscard]] std::size_t known_hosts() const noexcept { return hosts_.size(); }

 private:
  struct idle_connection {
    std::shared_ptr<client_host> to;
    connection kept;
    std::chrono::steady_clock::time_point since;
  };

  connection_limits limits_;
  client_hosts hosts_;
  std::deque<idle_connection> idle_;  ///< the longest idle first; destroyed before `hosts_`
};

}  // namespace tare::http::detail
