#pragma once

// The simulated world: hosts and the network between them.
//
// **Cancellation** No function waits. **Threads** Call them from the scenario or from tasks of the hosts: all of them
// run in the one thread of the simulation. **Bytes** A host has a runtime of its own, with its shards.

#include <tare/detail/kept_callable.hpp>
#include <tare/runtime.hpp>
#include <tare/sim/disk.hpp>
#include <tare/sim/wire.hpp>
#include <tare/task.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace tare::sim {

namespace detail {

class world_core;
struct host_core;

}  // namespace detail

struct host_options {
  unsigned shards = 1;
  unsigned blocking_threads = 4;          ///< of its runtime (`runtime_options`)
  std::size_t memory_limit = SIZE_MAX;    ///< likewise; its resident memory is always 40,960,000 bytes
  std::size_t max_descriptors = 100'000;  ///< when so many are open, calls fail with EMFILE
  std::size_t disk_bytes = SIZE_MAX;      ///< when files have so many, writes fail with ENOSPC
  /// How long a sync of a file takes; at most twice that.
  std::chrono::nanoseconds disk_latency = std::chrono::microseconds(100);
  std::chrono::nanoseconds clock_offset{0};
  /// How much faster than true time its clocks run, in millionths; may be negative.
  std::int64_t clock_drift_ppm = 0;
};

/// One direction between two hosts.
struct link_options {
  std::chrono::nanoseconds latency = std::chrono::microseconds(200);
  std::chrono::nanoseconds jitter = std::chrono::microseconds(100);  ///< up to this much is added
  std::int64_t bytes_per_second = 0;                                 ///< 0: no limit
  std::size_t buffer_bytes = std::size_t{256} << 10U;  ///< what a connection holds that its receiver has not read
  std::uint64_t lost_datagrams = 0;                    ///< one in so many is lost, and half as many arrive twice
};

/// A machine with its own address, clocks, descriptors, disk and runtime. It lives until its world ends.
class host {
 public:
  explicit host(std::unique_ptr<detail::host_core> core);
  ~host();
  host(const host&) = delete;
  host& operator=(const host&) = delete;

  [[nodiscard]] const std::string& name() const noexcept;
  /// Its IPv4 address as text; its name resolves to it on all hosts.
  [[nodiscard]] std::string address() const;

  /// Starts a detached task on the first shard of the host's runtime, which is cancelled when the scenario ends. An
  /// exception that leaves it fails the simulation. What the task refers to must outlive the scenario. **Errors**
  /// Throws std::logic_error after a crash.
  void spawn(task<> detached);
  /// The same for a callable, which is kept until its task has ended.
  template <tare::detail::makes_task F>
  void spawn(F make) {
    spawn(tare::detail::keep_and_call(std::move(make)));
  }

  /// Stops in the middle of whatever it does: no task is cancelled, nothing is destroyed, no peer is told. Its disk
  /// keeps what has been synced, and of the rest what the seed decides. Call it from the scenario. **Errors**
  /// Throws std::logic_error if it is the scenario's own host.
  void crash();
  /// Starts it again with a new runtime, without tasks, and with the disk as the crash has left it.
  void restart();
  /// False after a crash, and when its disk has lost its power.
  [[nodiscard]] bool is_up() const noexcept;
  [[nodiscard]] sim::disk disk() noexcept;

  /// Its runtime; nullptr after a crash.
  [[nodiscard]] runtime* system() noexcept;
  /// From now on its clocks differ from true time by `offset`; timers do not change.
  void set_clock(std::chrono::nanoseconds offset) noexcept;
  void limit_descriptors(std::size_t most) noexcept;
  [[nodiscard]] std::size_t open_descriptors() const noexcept;

 private:
  friend class world;
  friend class detail::world_core;
  std::unique_ptr<detail::host_core> core_;
};

/// What a scenario acts on.
class world {
 public:
  explicit world(detail::world_core& core) noexcept : core_(core) {}
  world(const world&) = delete;
  world& operator=(const world&) = delete;
  ~world() = default;

  /// **Errors** Throws std::invalid_argument if there is a host of that name.
  host& add_host(std::string name, host_options options = {});
  /// The host that the scenario runs on, named `world`.
  [[nodiscard]] host& here() noexcept;
  /// **Errors** Throws std::out_of_range if there is none.
  [[nodiscard]] host& at(std::string_view name);

  /// Nothing arrives from one host at the other, in both directions. Connections notice as TCP does: what they send is
  /// repeated, for 15 minutes.
  void partition(const host& one, const host& other);
  void partition_one_way(const host& from, const host& to);
  /// Ends the partitions between two hosts, or all of them.
  void heal(const host& one, const host& other);
  void heal();
  /// Both directions. Applies to what is sent from now on.
  void set_link(const host& one, const host& other, const link_options& options);
  void set_link_one_way(const host& from, const host& to, const link_options& options);
  /// Every connection between the hosts ends with ECONNRESET on both sides.
  void reset_connections(const host& one, const host& other);

  /// From now on, each TCP connection to this port has a checker of its own. The run fails at the first byte that a
  /// checker objects to.
  void watch(std::uint16_t port, make_wire_checker make);

  /// A number below `count` that the seed determines.
  [[nodiscard]] std::uint64_t random_below(std::uint64_t count) noexcept;
  /// Ends the run as failed. **Errors** Does not return: the scenario stays where it is.
  [[noreturn]] void fail(std::string why);
  [[nodiscard]] std::uint64_t seed() const noexcept;
  /// True if this run of `explore` has a fault that may make what the scenario does fail: a cancelled await, a refused
  /// allocation, a write that is cut, a call of a disk that fails. A late segment or wake-up is none.
  [[nodiscard]] bool fault_may_fail() const noexcept;

 private:
  detail::world_core& core_;
};

}  // namespace tare::sim
