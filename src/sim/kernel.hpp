#pragma once

// The simulated system: machines, their descriptors and clocks, the network, and the fibers that use them.

#include "sim/address.hpp"
#include "sim/disk_core.hpp"
#include "sim/faults.hpp"
#include "sim/file.hpp"
#include "sim/network.hpp"
#include "sim/scheduler.hpp"

#include <tare/sim/wire.hpp>

#include <pthread.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace tare::sim::detail {

class socket_file;
class stream_socket;
class datagram_socket;

/// A host of the simulation, as its system sees it.
struct machine {
  std::string name;
  std::uint32_t ip = 0;
  std::size_t max_descriptors = 100'000;
  std::size_t descriptors = 0;
  nanoseconds clock_offset = 0;
  std::int64_t clock_drift_ppm = 0;
  bool up = true;
  std::uint16_t next_port = 32'768;
  std::map<std::string, std::vector<socket_file*>> bound;  ///< by kind and port, or path
  std::unique_ptr<disk_core> disk;

  /// What the machine's clock shows at a time of the world.
  [[nodiscard]] nanoseconds clock_at(nanoseconds world) const noexcept {
    return world + clock_offset + world / million * clock_drift_ppm + world % million * clock_drift_ppm / million;
  }
  /// How long a period of the machine's clock lasts.
  [[nodiscard]] nanoseconds lasting(nanoseconds period) const noexcept {
    const nanoseconds rate = million + clock_drift_ppm;
    return period / rate * million + period % rate * million / rate;
  }
  static constexpr nanoseconds million = 1'000'000;
};

class kernel {
 public:
  explicit kernel(std::uint64_t seed);
  kernel(const kernel&) = delete;
  kernel& operator=(const kernel&) = delete;
  ~kernel();

  /// The kernel that simulates the calling fiber's system; nullptr outside simulations.
  [[nodiscard]] static kernel* of_caller() noexcept {
    return active_ != nullptr && active_->fibers.current() != nullptr && ::pthread_self() == active_->thread_ ? active_
                                                                                                              : nullptr;
  }
  /// From the constructor on, the calling thread is in the simulation.
  [[nodiscard]] static kernel* active() noexcept { return active_; }

  machine& add_machine(std::string name);
  [[nodiscard]] machine* find(std::string_view name) noexcept;
  [[nodiscard]] machine* at_ip(std::uint32_t ip) noexcept;
  [[nodiscard]] const std::vector<std::unique_ptr<machine>>& machines() const noexcept { return machines_; }

  [[nodiscard]] std::shared_ptr<stream_socket> make_stream(machine& on, int family);
  [[nodiscard]] std::shared_ptr<datagram_socket> make_datagram(machine& on, int family);
  /// A descriptor for `opened` on the current machine; -1 with EMFILE.
  int open(const std::shared_ptr<file>& opened);
  int close(int descriptor);
  /// nullptr with EBADF.
  [[nodiscard]] std::shared_ptr<file> at(int descriptor) noexcept;
  template <class Kind>
  [[nodiscard]] std::shared_ptr<Kind> at(int descriptor, int error) noexcept {
    const std::shared_ptr<file> found = at(descriptor);
    if (found == nullptr) return nullptr;
    auto kind = std::dynamic_pointer_cast<Kind>(found);
    if (kind == nullptr) errno = error;
    return kind;
  }
  [[nodiscard]] static bool is_simulated(int descriptor) noexcept { return descriptor >= first_descriptor; }
  [[nodiscard]] std::vector<std::string> open_descriptors() const;
  /// Closes every descriptor of a machine without a word to its peers.
  void drop_descriptors(machine& of);
  void reset_connections(const machine& one, const machine& other);

  // Files that are mapped into memory.
  void remember_mapping(const char* start, std::size_t size, std::shared_ptr<disk_node> mapped);
  /// False if there is none from there on.
  [[nodiscard]] bool forget_mapping(const void* start, std::size_t size);
  [[nodiscard]] bool is_mapped(const void* start) const noexcept;

  // Real descriptors of files that the program may read.
  void remember_real_file(int descriptor) { real_files_.insert(descriptor); }
  void forget_real_file(int descriptor) { real_files_.erase(descriptor); }
  [[nodiscard]] bool is_real_file(int descriptor) const { return real_files_.contains(descriptor); }

  /// What a clock of the current machine shows; reading it takes a little time.
  [[nodiscard]] nanoseconds read_clock(clockid_t clock);
  /// The time of the world at which a clock of the current machine shows `shown`.
  [[nodiscard]] nanoseconds deadline_at(nanoseconds shown, clockid_t clock);
  /// The current machine's real time, in nanoseconds.
  [[nodiscard]] nanoseconds real_time() noexcept;
  void fill_random(void* into, std::size_t size) noexcept;

  [[nodiscard]] machine& here() noexcept { return *fibers.current()->on; }
  /// Records a call that has been made, and may let another fiber run. Keeps errno.
  template <class Result>
  Result made(const char* what, int descriptor, Result result) {
    const int error = errno;
    fibers.step_of(what, descriptor, static_cast<std::int64_t>(result) < 0 ? -error : recorded(result), call_cost);
    errno = error;
    return result;
  }

  /// True for the locks of the frame memory, and SQLite's own, which all runs of a process share: how often they are
  /// taken depends on earlier runs, so it is no step.
  [[nodiscard]] bool is_of_all_runs(const void* lock) const noexcept;

  /// A call that the simulation does not have.
  [[noreturn]] static void refuse(const char* call) noexcept;

  scheduler fibers;
  network net;
  faults injected;
  /// The disk of a machine has lost its power, so the machine crashes.
  std::function<void(machine&)> power_failed;
  std::map<std::uint16_t, make_wire_checker> watched;  ///< by port

  static constexpr int first_descriptor = 1 << 20;
  static constexpr nanoseconds call_cost = 300;
  static constexpr nanoseconds clock_read_cost = 20;
  // The clocks begin at these times.
  static constexpr nanoseconds monotonic_start = 1'000'000'000'000;
  static constexpr std::int64_t realtime_start = 1'893'456'000;  ///< 2030-01-01, in seconds

 private:
  template <class Result>
  static std::int64_t recorded(Result result) noexcept {
    return static_cast<std::int64_t>(result);
  }

  struct mapping {
    const char* start;
    std::size_t size;
    const machine* on;
    std::shared_ptr<disk_node> mapped;
  };

  static kernel* active_;

  pthread_t thread_ = ::pthread_self();
  std::vector<std::unique_ptr<machine>> machines_;
  std::map<int, std::shared_ptr<file>> files_;
  int next_descriptor_ = first_descriptor;
  std::vector<std::weak_ptr<stream_socket>> streams_;
  random_sequence random_;
  std::set<int> real_files_;
  std::vector<mapping> mappings_;
  std::uint64_t seed_;
};

[[nodiscard]] std::string text_of_ip(std::uint32_t ip);

// The files with the simulated calls define these, so that the linker takes the calls from there.
void use_thread_calls() noexcept;
void use_lock_calls() noexcept;
void use_time_calls() noexcept;
void use_socket_calls() noexcept;
void use_descriptor_calls() noexcept;
void use_file_calls() noexcept;
void use_name_calls() noexcept;
void use_disk_calls() noexcept;
void use_stream_calls() noexcept;

}  // namespace tare::sim::detail
