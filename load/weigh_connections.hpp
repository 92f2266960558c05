#pragma once

// Weighing a server's idle connections: it is started, connected to, asked once on each connection, and left alone;
// then the kernel is asked what it holds.

#include "base/error.hpp"
#include "measure/process/command.hpp"
#include "measure/process/listen.hpp"
#include "measure/weigh/weigh.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

namespace tare::load {

/// What to measure.
struct connection_weighing {
  measure::command program;           ///< With `{port}` where it is to listen, on 127.0.0.1.
  std::vector<std::uint64_t> counts;  ///< Growing.
  bool tls = false;                   ///< It speaks HTTPS.
  std::string path = "/";             ///< Asked for with GET; 200 is expected.
  std::chrono::nanoseconds time_limit = std::chrono::minutes(1);  ///< For the server to listen, and for each answer.
  /// Between the last answer and the look at the memory: runtimes that return memory do it when they are idle.
  std::chrono::nanoseconds settling = std::chrono::milliseconds(500);
};

/// Measures with every count once, and stops at the first failure. Of a sample, `ready` and `cpu` are for opening the
/// connections and answering on them; `burst` is the RSS after another request on each, and `closed` that after all
/// were closed. `progress` is called before each start.
[[nodiscard]] measure::weighed weigh_connections(const connection_weighing& what, measure::stop_signal stop = -1,
                                                 const std::function<void(std::uint64_t n)>& progress = {});

}  // namespace tare::load
