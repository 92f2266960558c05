#include "frame/heap.hpp"
#include "sched/runtime_core.hpp"
#include "sched/usage.hpp"

#include <tare/detail/random.hpp>
#include <tare/resume_on.hpp>
#include <tare/runtime.hpp>
#include <tare/sleep.hpp>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace tare::detail {

bool move_to(wait_state& leaf, shard_id number) {
  shard& here = shard::current();
  shard& target = here.runtime().shard_at(number);
  if (&target == &here) return here.end_at_once(leaf);
  here.move_away(leaf, target);
  return true;
}

void empty_task(const char* call) noexcept {
  std::fprintf(stderr,
               "tare: %s of an empty task: it has already been moved from, awaited or spawned. A task runs once: call "
               "the coroutine again for another one\n",
               call);
  std::abort();
}

shard_id less_loaded_shard() {
  shard& here = shard::current();
  runtime_core& runtime = here.runtime();
  const std::size_t count = runtime.shard_count();
  if (count == 1) return here.number();
  const std::size_t one = random_below(count);
  const std::size_t other = (one + 1 + random_below(count - 1)) % count;
  const bool is_first =
      runtime.shard_at(static_cast<shard_id>(one)).load() <= runtime.shard_at(static_cast<shard_id>(other)).load();
  return static_cast<shard_id>(is_first ? one : other);
}

void destroy_unstarted(link frame) noexcept {
  // Deeper ones wait in a list until the outermost call has returned, so the stack does not grow with the depth.
  constexpr int max_depth = 64;
  static constinit thread_local int depth = 0;
  static constinit thread_local link deferred = no_link;
  wait_state& outermost = *from_link<wait_state>(frame);
  if (depth == max_depth) {
    outermost.next = deferred;
    deferred = frame;
    return;
  }
  ++depth;
  handle_of(outermost).destroy();
  while (depth == 1 && deferred != no_link) {
    wait_state& next = *from_link<wait_state>(deferred);
    deferred = next.next;
    handle_of(next).destroy();
  }
  --depth;
}

namespace {

constexpr const char* instead_of_spawn = "or use tare::runtime::spawn_on, which any thread may call";

void spawn_from(shard& here, shard_id to, task<> detached) {
  runtime_core& runtime = here.runtime();
  if (&runtime.shard_at(to) == &here) {
    here.start_detached(*from_link<wait_state>(detached.release("spawn_on")));
  } else {
    runtime.spawn_on(to, std::move(detached));
  }
}

}  // namespace

}  // namespace tare::detail

namespace tare {

void spawn(task<> detached) noexcept {
  detail::shard& here = detail::shard_for("tare::spawn", detail::instead_of_spawn);
  here.start_detached(*detail::from_link<detail::wait_state>(detached.release("spawn")));
}

void spawn_on(shard_id shard, task<> detached) {
  detail::spawn_from(detail::shard_for("tare::spawn_on", detail::instead_of_spawn), shard, std::move(detached));
}

void spawn_balanced(task<> detached) {
  detail::shard& here = detail::shard_for("tare::spawn_balanced", detail::instead_of_spawn);
  detail::spawn_from(here, detail::less_loaded_shard(), std::move(detached));
}

memory_budget& memory() noexcept {
  return detail::shard_for("tare::memory", "or use tare::runtime::memory").runtime().memory();
}

shard_id this_shard() noexcept { return detail::shard_for("tare::this_shard").number(); }

std::chrono::steady_clock::time_point now() noexcept {
  if (detail::current_shard == nullptr) return std::chrono::steady_clock::now();
  return std::chrono::steady_clock::time_point(std::chrono::nanoseconds(detail::shard::current().now()));
}

}  // namespace tare
