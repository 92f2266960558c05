#include "sim/play.hpp"

#include "frame/arena.hpp"
#include "frame/heap.hpp"
#include "sched/shard.hpp"
#include "sim/seeded_openssl.hpp"
#include "sim/seeded_sqlite.hpp"
#include "sim/stop_report.hpp"
#include "sim/world_core.hpp"
#include "timer/clock.hpp"

#include <tare/cancellation.hpp>

#include <cstdint>
#include <utility>

namespace tare::sim::detail {

namespace {

/// Counts awaits and allocations, and injects a fault at one of them.
class injector final : public tare::detail::step_observer {
 public:
  explicit injector(const injection& chosen) : chosen_(chosen) {
    current_ = this;
    tare::detail::shard::observer = this;
    tare::detail::heap::gate = [] noexcept { return current_->allows(); };
    tare::detail::clock::counts_cycles = false;
  }
  injector(const injector&) = delete;
  injector& operator=(const injector&) = delete;
  ~injector() override {
    current_ = nullptr;
    tare::detail::shard::observer = nullptr;
    tare::detail::heap::gate = nullptr;
    tare::detail::clock::counts_cycles = true;
  }

  void suspended(tare::detail::wait_state& root) noexcept override {
    for (tare::detail::wait_state* task = &root; task != nullptr;) {
      tare::detail::wait_state* const inner = task_under_shield(*task);
      if (++awaits_ == chosen_.cancelled_await) {
        if (chosen_.awaits != nullptr) cancelled_at_ = await_path(*task, *chosen_.awaits);
        tare::detail::cancel(*task);
      }
      task = inner;
    }
  }
  [[nodiscard]] const std::vector<awaited_line>& cancelled_at() const noexcept { return cancelled_at_; }
  [[nodiscard]] std::uint64_t awaits() const noexcept { return awaits_; }
  [[nodiscard]] std::uint64_t allocations() const noexcept { return allocations_; }

 private:
  [[nodiscard]] bool allows() noexcept { return ++allocations_ != chosen_.refused_allocation; }

  static inline constinit injector* current_ = nullptr;
  const injection& chosen_;
  std::vector<awaited_line> cancelled_at_;
  std::uint64_t awaits_ = 0;
  std::uint64_t allocations_ = 0;
};

[[nodiscard]] std::optional<std::string> leaks(world_core& in, std::uint64_t live_before) {
  if (in.has_crashed) return std::nullopt;
  std::string text;
  for (const std::string& each : in.in.open_descriptors()) text += "  " + each + '\n';
  if (!text.empty()) return "descriptors are still open after the end of all runtimes:\n" + text;
  const std::uint64_t live = tare::detail::arena::instance().live_objects();
  if (live > live_before) {
    return std::to_string(live - live_before) + " frames or records are left after the end of all runtimes";
  }
  return std::nullopt;
}

}  // namespace

outcome play(std::uint64_t seed, const options& chosen, const scenario& body, const injection& fault) {
  outcome made;
  const std::uint64_t live = tare::detail::arena::instance().live_objects();
  const seeded_openssl random(seed);
  seed_sqlite();
  world_core in(seed, chosen);
  in.in.injected = fault.wire;
  in.in.fibers.late_wake = fault.late_wake;
  in.allows_cancelled = fault.cancelled_await != 0;
  in.allows_bad_alloc = fault.refused_allocation != 0;
  in.fault_may_fail =
      in.allows_cancelled || in.allows_bad_alloc || fault.wire.cut_write != 0 || fault.wire.failing_file_call != 0;
  {
    const injector counts(fault);
    const stop_report if_it_aborts(seed, in.in.fibers);
    const fiber& first = in.in.fibers.start([&] { in.play(body); }, in.in.find("world"));
    in.in.fibers.run(first);
    made.awaits = counts.awaits();
    made.cancelled_at = counts.cancelled_at();
    made.allocations = counts.allocations();
  }
  made.problem = in.in.fibers.failure();
  if (!made.problem && !in.error && chosen.check_leaks) made.problem = leaks(in, live);
  made.error = in.error;
  made.last_steps = describe_last_steps(in.in.fibers);
  made.wakes = in.in.fibers.wakes();
  made.wire = in.in.injected;
  made.time = in.in.fibers.now();
  made.steps = in.in.fibers.steps();
  return made;
}

}  // namespace tare::sim::detail
