#pragma once

// The world of one run: its kernel, hosts, and what went wrong.

#include "sim/kernel.hpp"

#include <tare/runtime.hpp>
#include <tare/sim/run.hpp>
#include <tare/sim/world.hpp>

#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <string>

namespace tare::sim::detail {

struct host_core {
  world_core* in;
  machine* on;
  host_options options;
  std::unique_ptr<runtime> system;
};

class world_core {
 public:
  world_core(std::uint64_t seed, const options& chosen);
  /// After a failure, runtimes are left as they are: fibers are in the middle of them.
  ~world_core();
  world_core(const world_core&) = delete;
  world_core& operator=(const world_core&) = delete;

  /// On a fiber: the scenario, and the end of the hosts.
  void play(const scenario& body);
  host& add_host(std::string name, const host_options& options);
  void start(host_core& of);
  /// The host that the scenario runs on.
  [[nodiscard]] host& outside() noexcept { return hosts.front(); }
  void stop(host_core& of);
  void crash(host_core& of);

  kernel in;
  std::deque<host> hosts;
  random_sequence random;
  std::uint64_t seed;
  bool has_crashed = false;
  /// Errors that an injected fault explains.
  bool allows_cancelled = false;
  bool allows_bad_alloc = false;
  bool fault_may_fail = false;
  std::exception_ptr error;

 private:
  /// What the options of a host say about its machine.
  static void prepare(host_core& of);
  /// On a thread of its own.
  void crash_soon(const machine& on);
  void note(std::exception_ptr thrown) noexcept;
};

}  // namespace tare::sim::detail
