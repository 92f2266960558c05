#pragma once

// Weighs a server's idle connections: starts the server, opens connections, does on each what its kind does first, and
// leaves them idle; then reads the server's memory from the kernel.

#include "base/error.hpp"
#include "measure/process/command.hpp"
#include "measure/process/listen.hpp"
#include "measure/weigh/connection_kind.hpp"
#include "measure/weigh/weigh.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace tare::load {

/// What to measure.
struct connection_weighing {
  measure::command program;           ///< with `{port}` in place of the port to listen on, at 127.0.0.1
  std::vector<std::uint64_t> counts;  ///< growing
  measure::connection_kind kind = measure::connection_kind::http;
  bool tls = false;        ///< over TLS, whatever the kind
  std::string path = "/";  ///< requested with GET
  std::string release;     ///< of long polls: a request to it makes the server respond to all that wait; may be empty
  measure::command database;  ///< for connections that wait for one, see held_database.hpp; with `{port}`
  std::chrono::nanoseconds time_limit = std::chrono::minutes(1);  ///< for the server to listen, and for each response
  /// For one count altogether, so that a slow server cannot hold up the others.
  std::chrono::nanoseconds total_time_limit = std::chrono::minutes(5);
  /// Time between the last response and reading the memory, because runtimes return memory when they are idle.
  std::chrono::nanoseconds settling = std::chrono::milliseconds(500);
};

/// Measures once with every count, and stops at the first failure. In a sample, `ready` and `cpu` are for opening the
/// connections and responding on them; `kernel` is the growth of the kernel's memory since before they were opened;
/// `burst` is the RSS after each connection was used again, 0 if its kind cannot; and `closed` the RSS after all were
/// closed. `progress` is called before each start.
[[nodiscard]] measure::weighed weigh_connections(const connection_weighing& what, measure::stop_signal stop = -1,
                                                 const std::function<void(std::uint64_t n)>& progress = {});

}  // namespace tare::load
