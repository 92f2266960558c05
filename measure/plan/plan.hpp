#pragma once

// How many tasks fit: memory and descriptors, divided by what one task needs of each.
//
//   bytes(n) = base + n * (weight + page tables + kernel's sockets) + waiting requests * bytes of one that waits
//            + responding requests * buffers of one
//
// The requests in flight are given, or follow from Little's law: arrivals per second times seconds per request. At most
// `max_responding` of them hold buffers at the same time, for example as many as there are database sessions; the
// others wait.

#include "base/error.hpp"

#include <cstdint>
#include <limits>
#include <optional>
#include <string>

namespace tare::measure {

/// The cost of one more task, and of the program without tasks. Read from measurements: weight_source.hpp.
struct task_weight {
  double bytes = 0;       ///< resident memory of a suspended task
  double base_bytes = 0;  ///< resident memory of the program without tasks
  std::string source;     ///< where both come from, for display
};

/// Kernel memory of a TCP socket with empty queues: the socket, its file and inode, and the entry in an epoll set.
/// Measured on Linux 6.18 with 18,000 sockets; docs/tools.md has the command.
inline constexpr double kernel_bytes_per_socket = 3900;

inline constexpr double infinite = std::numeric_limits<double>::infinity();

struct plan_request {
  task_weight task;
  std::uint64_t memory = 0;                       ///< of the machine or the container
  double reserve = 0.1;                           ///< the fraction that is to stay free
  double sockets = 0;                             ///< per task
  double kernel_bytes = kernel_bytes_per_socket;  ///< kernel memory per socket
  double rate = 0;                                ///< requests per second of all tasks together
  double rate_per_task = 0;                       ///< or per task
  double latency = 0;                             ///< seconds that a request takes
  double in_flight = 0;                           ///< requests in flight; 0: as rate and latency say
  double max_responding = infinite;               ///< requests that hold buffers at the same time
  double buffer_bytes = 0;                        ///< what a responding request holds
  double waiting_bytes = 0;                       ///< what a request in flight holds that is not responding
  std::uint64_t descriptors = 0;                  ///< descriptors that the process may have open; 0: not considered
  std::uint64_t other_descriptors = 64;           ///< open for other purposes
};

/// How memory is used at some number of tasks.
struct memory_shares {
  double base = 0;
  double tasks = 0;
  double page_tables = 0;
  double sockets = 0;
  double waiting = 0;
  double buffers = 0;

  [[nodiscard]] double resident() const noexcept { return base + tasks + waiting + buffers; }
  [[nodiscard]] double total() const noexcept { return resident() + page_tables + sockets; }
};

enum class limited_by : std::uint8_t { memory, descriptors, nothing };

struct plan_answer {
  std::uint64_t tasks = 0;
  limited_by limit = limited_by::nothing;
  std::uint64_t by_memory = 0;
  std::optional<std::uint64_t> by_descriptors;  ///< empty if not considered
  double in_flight = 0;                         ///< requests in flight at that number of tasks
  double responding = 0;                        ///< those of them that hold buffers
  memory_shares shares;                         ///< at that number of tasks
  // Settings that enforce the plan.
  /// runtime_options::frame_limit, in steps of 64 KiB: a hard limit beyond admission, so it includes room for the arena
  /// itself and for requests in progress.
  std::uint64_t frame_limit = 0;
  std::uint64_t buffer_budget = 0;  ///< bytes for a byte_budget used by requests
  std::uint64_t open_files = 0;     ///< RLIMIT_NOFILE
};

/// The memory of `tasks` tasks.
[[nodiscard]] memory_shares shares_at(const plan_request& request, double tasks);

/// Fails if a figure makes no sense, or if not even the program without tasks fits.
[[nodiscard]] base::result<plan_answer> plan(const plan_request& request);

}  // namespace tare::measure
