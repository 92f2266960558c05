#pragma once

// Connections that are drained together: those of one listener, or a single one.

#include <tare/scope.hpp>

#include <cstdint>

namespace tare::http::detail {

class server_core;

class connection_group {
 public:
  /// `connections` is their scope; a single connection has none.
  explicit connection_group(server_core& server, scope* connections = nullptr) noexcept
      : server_(server), connections_(connections) {}
  connection_group(const connection_group&) = delete;
  connection_group& operator=(const connection_group&) = delete;
  ~connection_group() = default;

  [[nodiscard]] server_core& server() const noexcept { return server_; }
  [[nodiscard]] scope* connections() const noexcept { return connections_; }

  /// From now on requests have `server_options::drain_timeout` to end.
  void begin_drain() noexcept;
  [[nodiscard]] bool draining() const noexcept { return draining_; }
  /// Whether that time has passed.
  [[nodiscard]] bool is_over() const noexcept;

 private:
  server_core& server_;
  scope* connections_;
  std::uint32_t over_at_ = 0;  ///< the sweep that ends the remaining requests
  bool draining_ = false;
};

}  // namespace tare::http::detail
