#pragma once

// Connections that are drained together: those of one listener, or a single one.

#include <tare/detail/link.hpp>
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

/// A reference of four bytes, for the frames of idle connections. A group is in a frame, so it is in the arena.
class group_link {
 public:
  explicit group_link(connection_group& group) noexcept : link_(tare::detail::to_link(&group)) {}
  [[nodiscard]] connection_group& operator*() const noexcept {
    return *tare::detail::from_link<connection_group>(link_);
  }
  [[nodiscard]] connection_group* operator->() const noexcept { return &**this; }

 private:
  tare::detail::link link_;
};

}  // namespace tare::http::detail
