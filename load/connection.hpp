#pragma once

// One connection of a load, of the kind that the target says: sends requests or messages, and checks the responses.

#include "load/failure.hpp"
#include "load/target.hpp"

#include <tare/http/detail/connection.hpp>
#include <tare/task.hpp>

#include <cstdint>
#include <expected>
#include <memory>

namespace tare::load {

class websocket_client;

class connection {
 public:
  connection(connection&&) noexcept;
  connection& operator=(connection&&) noexcept;
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;
  ~connection();

  /// From the loopback address 127.0.0.(1 + `source`) if the target is on 127.0.0.0/8: each provides another 28,000
  /// ports to connect from. Otherwise `source` is ignored.
  [[nodiscard]] static task<std::expected<connection, failure>> open(const target& to, unsigned source);

  /// Does what a connection of the kind does first: a request and its response, the handshake and ten messages each
  /// way, the request and ten events, or a request alone. The connection cannot be used after a failure.
  [[nodiscard]] task<std::expected<void, failure>> begin(const target& what);

  /// Does it once more: a request and its response, ten messages each way, or the response that was waited for. There
  /// is nothing more to do for an event stream.
  [[nodiscard]] task<std::expected<void, failure>> again(const target& what);

  /// Sends the request and reads the whole response, whatever the kind.
  [[nodiscard]] task<std::expected<void, failure>> exchange(const target& what);

  /// Whether the connection is as it must be after `begin`: open, and without a response that was not asked for.
  [[nodiscard]] std::expected<void, failure> look(const target& what);

  [[nodiscard]] bool is_open() const noexcept { return over_.is_open(); }
  void close() noexcept { over_.close(); }

 private:
  explicit connection(http::detail::connection over) noexcept;

  http::detail::connection over_;
  std::unique_ptr<websocket_client> socket_;
};

}  // namespace tare::load
