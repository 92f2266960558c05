#pragma once

// How many tasks fit? Memory and descriptors, divided by what one task takes of each.
//
//   bytes(n) = base + n * (weight + page tables + kernel's sockets) + requests in flight * buffers of one
//
// Requests in flight follow from Little's law: arrivals a second times the seconds that each takes, wherever they come
// from. Their buffers are needed only while a request is being worked on, whether the tasks are many or few.

#include <cstdint>
#include <optional>
#include <string>

#include "base/error.hpp"

namespace tare::measure {

/// What one more task costs, and what the program takes without any. From whatever has been weighed: weight_source.hpp.
struct task_weight {
  double bytes = 0;       ///< Resident memory of a parked task.
  double base_bytes = 0;  ///< Resident memory of the program with none.
  std::string source;     ///< Where both come from, for people.
};

/// What a TCP socket takes in the kernel while nothing is in its queues: the socket, its file and inode, and the
/// entry in an epoll set. Measured on Linux 6.18 with 18,000 sockets; docs/tools.md has the command.
inline constexpr double kernel_bytes_per_socket = 3900;

struct plan_request {
  task_weight task;
  std::uint64_t memory = 0;                       ///< Of the machine or the container.
  double reserve = 0.1;                           ///< The part of it that is to stay free.
  double sockets = 0;                             ///< Of each task.
  double kernel_bytes = kernel_bytes_per_socket;  ///< Of each socket, in the kernel.
  double rate = 0;                                ///< Requests a second, of all tasks together.
  double rate_per_task = 0;                       ///< Or of each.
  double latency = 0;                             ///< Seconds that a request takes.
  double buffer_bytes = 0;                        ///< What a request holds while it takes them.
  std::uint64_t descriptors = 0;                  ///< That the process may have open; 0: they do not matter.
  std::uint64_t other_descriptors = 64;           ///< Open for other purposes.
};

/// What memory goes to at some number of tasks.
struct memory_shares {
  double base = 0;
  double tasks = 0;
  double page_tables = 0;
  double sockets = 0;
  double buffers = 0;

  [[nodiscard]] double resident() const noexcept { return base + tasks + buffers; }
  [[nodiscard]] double total() const noexcept { return base + tasks + page_tables + sockets + buffers; }
};

enum class limited_by : std::uint8_t { memory, descriptors, nothing };

struct plan_answer {
  std::uint64_t tasks = 0;
  limited_by limit = limited_by::nothing;
  std::uint64_t by_memory = 0;
  std::optional<std::uint64_t> by_descriptors;  ///< Nothing if they do not matter.
  double in_flight = 0;                         ///< Requests, at that number of tasks.
  memory_shares shares;                         ///< At that number of tasks.
  // What to set so that the promise is kept.
  /// runtime_options::frame_limit, in steps of 64 KiB: a wall behind what is admitted, so with room for what the arena
  /// takes by itself and for requests under way.
  std::uint64_t frame_limit = 0;
  std::uint64_t buffer_budget = 0;  ///< Bytes for a byte_budget that requests draw from.
  std::uint64_t open_files = 0;     ///< RLIMIT_NOFILE.
};

/// What `tasks` of them take.
[[nodiscard]] memory_shares shares_at(const plan_request& asked, double tasks);

/// Fails if a figure makes no sense, or if not even the program without tasks fits.
[[nodiscard]] base::result<plan_answer> plan(const plan_request& asked);

}  // namespace tare::measure
