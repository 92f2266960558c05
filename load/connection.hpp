#pragma once

// One keep-alive connection of a load: it asks, and checks what it is told.

#include "load/target.hpp"

#include <tare/http/detail/connection.hpp>
#include <tare/task.hpp>

#include <cstdint>
#include <expected>
#include <string>

namespace tare::load {

/// Why an exchange did not succeed, in words for a person.
using failure = std::string;

class connection {
 public:
  /// From the loopback address 127.0.0.(1 + `source`) if the target is on 127.0.0.0/8: each gives the kernel another
  /// 28,000 ports to connect from. Elsewhere `source` says nothing.
  [[nodiscard]] static task<std::expected<connection, failure>> open(const target& to, unsigned source);

  /// Sends the request and reads the whole response. The connection is of no use after a failure.
  [[nodiscard]] task<std::expected<void, failure>> exchange(const target& what);

  [[nodiscard]] bool is_open() const noexcept { return over_.is_open(); }
  void close() noexcept { over_.close(); }

 private:
  explicit connection(http::detail::connection over) noexcept : over_(std::move(over)) {}

  http::detail::connection over_;
};

}  // namespace tare::load
