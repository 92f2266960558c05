#include "frame/heap.hpp"
#include "sched/runtime_core.hpp"

#include <tare/resume_on.hpp>
#include <tare/runtime.hpp>
#include <tare/sleep.hpp>

#include <cstdint>

namespace tare::detail {

bool move_to(wait_state& leaf, unsigned number) {
  shard& here = shard::current();
  shard& target = here.runtime().shard_at(number);
  if (&target == &here) return false;
  here.move_away(leaf, target);
  return true;
}

}  // namespace tare::detail

namespace tare {

void spawn(task<> detached) noexcept {
  detail::shard::current().start_detached(*detail::from_link<detail::wait_state>(detached.release()));
}

void spawn_on(shard_id shard, task<> detached) {
  detail::runtime_core& runtime = detail::shard::current().runtime();
  if (&runtime.shard_at(shard) == &detail::shard::current()) {
    spawn(std::move(detached));
  } else {
    runtime.spawn_on(shard, std::move(detached));
  }
}

void spawn_balanced(task<> detached) {
  detail::runtime_core& runtime = detail::shard::current().runtime();
  // xorshift (Marsaglia, 2003): which two is all that hangs on it.
  static thread_local std::uint64_t state = 0x9E3779B97F4A7C15U;
  state ^= state << 13U;
  state ^= state >> 7U;
  state ^= state << 17U;
  const std::uint64_t count = runtime.shard_count();
  const auto one = static_cast<shard_id>(state % count);
  const auto other = static_cast<shard_id>((state >> 32U) % count);
  const auto load = [&](shard_id of) { return runtime.shard_at(of).started() - runtime.shard_at(of).ended(); };
  spawn_on(load(one) <= load(other) ? one : other, std::move(detached));
}

memory_budget& memory() noexcept { return detail::shard::current().runtime().memory(); }

shard_id this_shard() noexcept { return detail::shard::current().number(); }

std::chrono::steady_clock::time_point now() noexcept {
  return std::chrono::steady_clock::time_point(std::chrono::nanoseconds(detail::shard::current().now()));
}

}  // namespace tare
