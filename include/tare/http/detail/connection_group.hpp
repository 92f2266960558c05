#pragma once

// Connections that are drained together: those of one listener, or a single one.

#include <cstdint>

namespace tare::http::detail {

class server_core;

class connection_group {
 public:
  explicit connection_group(server_core& server) noexcept : server_(server) {}
  connection_group(const connection_group&) = delete;
  connection_group& operator=(const connection_group&) = delete;
  ~connection_group() = default;

  [[nodiscard]] server_core& server() const noexcept { return server_; }

  /// From now on requests have `server_options::drain_timeout` to end.
  void begin_drain() noexcept;
  [[nodiscard]] bool draining() const noexcept { return draining_; }
  /// Whether that time has passed.
  [[nodiscard]] bool is_over() const noexcept;

 private:
  server_core& server_;
  std::uint32_t over_at_ = 0;  ///< the sweep that ends the remaining requests
  bool draining_ = false;
};

}  // namespace tare::http::detail
