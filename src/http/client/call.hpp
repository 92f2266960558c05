#pragma once

// One request and its response.
//
// Sending and reading are concurrent, in one task: `exchange`, and later each `read`, sends what the system accepts and
// then waits until there is room for more or something to read, whichever comes first. So a server may respond while it
// reads, and an early refusal is noticed.
//
// A connection is reused only if the whole request has been sent, the whole response has been read, and nothing
// followed it.

#include "http/client/connections.hpp"
#include "http/client/upload.hpp"
#include "http/client/url.hpp"
#include "http/response_reader.hpp"

#include <tare/http/client.hpp>
#include <tare/http/detail/connection.hpp>
#include <tare/http/upgraded_stream.hpp>
#include <tare/net/lease.hpp>
#include <tare/semaphore.hpp>
#include <tare/task.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <system_error>

namespace tare::http::detail {

/// Shared by the calls of one client.
class client_core {
 public:
  explicit client_core(client_options options);

  [[nodiscard]] const client_options& options() const noexcept { return options_; }
  [[nodiscard]] client_connections& connections() noexcept { return connections_; }

  /// The TLS context. Created on first use, unless one was given.
  [[nodiscard]] net::result<net::tls::context> tls();

 private:
  client_options options_;
  client_connections connections_;
};

class client_call {
 public:
  client_call(client_core& core, client_request request, url to);
  client_call(const client_call&) = delete;
  client_call& operator=(const client_call&) = delete;
  ~client_call() = default;

  /// Sends, and reads the response's head. Call it once; after an error the call is over.
  task<result<void>> run();

  [[nodiscard]] const response_reader& reader() const noexcept { return reader_; }
  task<result<std::span<const std::byte>>> read();
  task<result<std::string>> read_all();

  /// Throws std::logic_error if the server has not switched protocols, or the stream has been taken.
  [[nodiscard]] upgraded_stream take_stream();

 private:
  using clock = std::chrono::steady_clock;
  using nanoseconds = std::chrono::nanoseconds;

  // Getting a connection.
  task<result<void>> acquire();
  task<result<void>> connect();
  task<result<connection>> reach();
  [[nodiscard]] bool may_repeat(std::error_code error) const noexcept;

  // Sending the request.
  [[nodiscard]] std::string head() const;
  void push();
  void stop_sending() noexcept;
  task<> next_piece();
  task<> produce();
  task<> watch();

  // Reading the response.
  task<result<void>> exchange();
  void begin();
  [[nodiscard]] bool read_now();
  void read_head();
  void on_head();
  task<> wait();
  [[nodiscard]] nanoseconds time_left() const;
  void on_waited(nanoseconds time, bool expired);

  // Ending.
  void finish();
  void drop_connection() noexcept;
  void fail(std::error_code error) noexcept;

  client_core& core_;
  client_request request_;
  url to_;
  std::shared_ptr<client_host> host_;
  semaphore_permit permit_;
  connection connection_;
  net::lease input_;
  response_reader reader_;
  upload upload_;
  clock::time_point deadline_;       ///< of the whole call
  clock::time_point head_deadline_;  ///< set once sending has ended
  nanoseconds write_waited_{};       ///< since the server last accepted something
  nanoseconds read_waited_{};        ///< since something was last received or sent
  std::size_t piece_bytes_ = 0;      ///< at the front of `input_`: still in use by the reader of the body
  std::error_code error_;
  std::error_code send_error_;  ///< the server accepts no more, but may have responded
  unsigned interim_count_ = 0;
  bool sending_ = false;
  bool heard_ = false;  ///< a byte of a response has arrived
  bool ended_ = false;  ///< the server has closed its direction
  bool head_done_ = false;
  bool switched_ = false;  ///< to another protocol
  bool complete_ = false;
};

}  // namespace tare::http::detail
