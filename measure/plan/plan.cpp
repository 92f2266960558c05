#include "measure/plan/plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string_view>
#include <utility>

namespace tare::measure {
namespace {

/// An entry of 8 bytes maps a page of 4 KiB; the levels above it do not matter.
constexpr double page_table_share = 8.0 / 4096;
constexpr double frame_step = 64.0 * 1024;
/// What the arena takes without tasks: tables of descriptors, buffers, partly used slabs of each size; and an area of 2
/// MiB that is populated at once. 1.2 MiB in the idle service.
constexpr double frame_base = 4.0 * 1024 * 1024;
/// For the frames of running tasks, which are larger than those of suspended ones.
constexpr double frame_headroom = 1.125;

struct request_counts {
  double in_flight = 0;
  double responding = 0;  ///< those of them that hold buffers
};

request_counts requests_at(const plan_request& request, double tasks) {
  // Each task has at most one request in flight.
  const double in_flight = request.in_flight > 0 ? std::min(request.in_flight, tasks)
                                                 : std::min(request.rate * request.latency, tasks) +
                                                       std::min(request.rate_per_task * request.latency, 1.0) * tasks;
  return {.in_flight = in_flight, .responding = std::min(in_flight, request.max_responding)};
}

std::optional<std::string> nonsense(const plan_request& request) {
  const std::pair<double, std::string_view> figures[] = {{request.task.bytes, "weight of a task"},
                                                         {request.task.base_bytes, "base"},
                                                         {request.sockets, "number of sockets"},
                                                         {request.kernel_bytes, "kernel's bytes of a socket"},
                                                         {request.rate, "rate"},
                                                         {request.rate_per_task, "rate of a task"},
                                                         {request.latency, "latency"},
                                                         {request.in_flight, "number of requests in flight"},
                                                         {request.waiting_bytes, "bytes of a waiting request"},
                                                         {request.buffer_bytes, "buffers of a request"}};
  for (const auto& [value, name] : figures) {
    if (!(value >= 0) || !std::isfinite(value)) return fmt::format("the {} must not be below 0", name);
  }
  if (request.task.bytes <= 0) return "the weight of a task must be above 0";
  if (!(request.max_responding >= 0)) return "the number of responding requests must not be below 0";
  if (!(request.reserve >= 0 && request.reserve < 1)) return "the reserve must be at least 0 and below 1";
  return std::nullopt;
}

std::uint64_t whole(double value) {
  constexpr double most = 1e18;
  return static_cast<std::uint64_t>(std::clamp(std::floor(value), 0.0, most));
}

/// The largest number of tasks for which `fits` holds; it is monotonic.
template <class Fits>
std::uint64_t max_that(Fits fits) {
  std::uint64_t low = 0;
  std::uint64_t high = 1;
  constexpr std::uint64_t enough = 1'000'000'000'000'000;
  while (high < enough && fits(high)) {
    low = high;
    high *= 2;
  }
  while (high - low > 1) {
    const std::uint64_t middle = low + (high - low) / 2;
    (fits(middle) ? low : high) = middle;
  }
  return low;
}

}  // namespace

memory_shares shares_at(const plan_request& request, double tasks) {
  const request_counts requests = requests_at(request, tasks);
  memory_shares shares{.base = request.task.base_bytes,
                       .tasks = tasks * request.task.bytes,
                       .sockets = tasks * request.sockets * request.kernel_bytes,
                       .waiting = (requests.in_flight - requests.responding) * request.waiting_bytes,
                       .buffers = requests.responding * request.buffer_bytes};
  shares.page_tables = shares.resident() * page_table_share;
  return shares;
}

base::result<plan_answer> plan(const plan_request& request) {
  if (const auto wrong = nonsense(request)) return base::input_error(*wrong);
  const double usable = static_cast<double>(request.memory) * (1 - request.reserve);
  if (shares_at(request, 0).total() > usable) {
    return base::input_error(
        fmt::format("the program alone takes {:.0f} bytes, and there are {:.0f} without the reserve",
                    shares_at(request, 0).total(), usable));
  }

  plan_answer planned;
  planned.by_memory =
      max_that([&](std::uint64_t n) { return shares_at(request, static_cast<double>(n)).total() <= usable; });
  planned.tasks = planned.by_memory;
  planned.limit = limited_by::memory;
  if (request.descriptors != 0 && request.sockets > 0) {
    const std::uint64_t left = request.descriptors - std::min(request.descriptors, request.other_descriptors);
    planned.by_descriptors = whole(static_cast<double>(left) / request.sockets);
    if (*planned.by_descriptors < planned.tasks) {
      planned.tasks = *planned.by_descriptors;
      planned.limit = limited_by::descriptors;
    }
  }

  const auto tasks = static_cast<double>(planned.tasks);
  const request_counts requests = requests_at(request, tasks);
  planned.in_flight = requests.in_flight;
  planned.responding = requests.responding;
  planned.shares = shares_at(request, tasks);
  const double frames =
      frame_base + (planned.shares.tasks + planned.shares.waiting + planned.shares.buffers) * frame_headroom;
  planned.frame_limit = whole(std::ceil(frames / frame_step) * frame_step);
  planned.buffer_budget = whole(std::ceil(planned.shares.buffers));
  planned.open_files = whole(std::ceil(tasks * request.sockets)) + request.other_descriptors;
  return planned;
}

}  // namespace tare::measure
