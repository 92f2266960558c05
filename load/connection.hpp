#pragma once

// One keep-alive connection of a load: sends requests and checks the responses.

#include "load/target.hpp"

#include <tare/http/detail/connection.hpp>
#include <tare/task.hpp>

#include <cstdint>
#include <expected>
#include <string>

namespace tare::load {

/// Why an exchange failed, as text for the user.
using failure = std::string;

class connection {
 public:
  /// From the loopback address 127.0.0.(1 + `source`) if the target is on 127.0.0.0/8: each provides another 28,000
  /// ports to connect from. Otherwise `source` is ignored.
  [[nodiscard]] static task<std::expected<connection, failure>> open(const target& to, unsigned source);

  /// Sends the request and reads the whole response. The connection cannot be used after a failure.
  [[nodiscard]] task<std::expected<void, failure>> exchange(const target& what);

  [[nodiscard]] bool is_open() const noexcept { return over_.is_open(); }
  void close() noexcept { over_.close(); }

 private:
  explicit connection(http::detail::connection over) noexcept : over_(std::move(over)) {}

  http::detail::connection over_;
};

}  // namespace tare::load
