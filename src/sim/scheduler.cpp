#include "sim/scheduler.hpp"

#include "sim/calls/real.hpp"

#include <algorithm>
#include <ctime>
#include <utility>

namespace tare::sim::detail {

namespace {

constexpr std::uint64_t schedule_purpose = 1;
constexpr std::uint64_t order_purpose = 2;
// After so many steps in a row a fiber lets others run, whatever its priority: it may be waiting for them in a loop.
constexpr std::uint64_t max_steps_without_switch = 500;

std::int64_t real_nanoseconds() noexcept {
  timespec at{};
  (void)real::clock_gettime(CLOCK_MONOTONIC, &at);
  return at.tv_sec * 1'000'000'000 + at.tv_nsec;
}

}  // namespace

scheduler::scheduler(std::uint64_t seed)
    : schedule_random_(seed, schedule_purpose),
      order_random_(seed, order_purpose),
      policy_(schedule_random_.once_in(2) ? policy::uniform : policy::priorities),
      switch_once_in_(std::uint64_t{1} << schedule_random_.below(6)),
      real_start_(real_nanoseconds()) {
  const std::uint64_t depth = schedule_random_.below(6);
  const std::uint64_t length = std::uint64_t{64} << schedule_random_.below(8);
  for (std::uint64_t i = 0; i < depth; ++i) change_points_.push_back(schedule_random_.below(length));
  main_variables_.save();
}

scheduler::~scheduler() {
  // NOLINTNEXTLINE(bugprone-unhandled-exception-at-new): without memory, a failed run ends the program
  static auto& abandoned = *new std::vector<std::unique_ptr<fiber>>;
  // Fibers that have not ended keep their stacks: what is on them cannot be destroyed.
  for (auto& each : fibers_) {
    if (each->done) continue;
    each->memory->abandon();
    abandoned.push_back(std::move(each));
  }
}

fiber& scheduler::start(std::function<void()> body, machine* on) {
  auto made = std::make_unique<fiber>(++fiber_count_, std::move(body));
  fiber& started = *made;
  started.on = on;
  started.priority = UINT64_MAX / 2 + schedule_random_.below(UINT64_MAX / 4);
  started.where.begin_on(*started.memory, &scheduler::enter, this);
  living_.emplace(started.number, &started);
  fibers_.push_back(std::move(made));
  return started;
}

void scheduler::enter(void* of) {
  auto& self = *static_cast<scheduler*>(of);
  self.current_->body();
  self.current_->variables.destroy_variables();
  self.end_current();
}

void scheduler::end_current() noexcept {
  fiber& ended = *current_;
  ended.done = true;
  ended.runnable = false;
  (void)wake_at(&ended, SIZE_MAX);  // those that join it
  back_to_scheduler();
  __builtin_unreachable();
}

fiber* scheduler::find(std::uint32_t number) noexcept {
  const auto found = std::ranges::find_if(fibers_, [number](auto& each) { return each->number == number; });
  return found == fibers_.end() ? nullptr : found->get();
}

void scheduler::forget(fiber& ended) {
  std::erase_if(fibers_, [&ended](auto& each) { return each.get() == &ended; });
}

void scheduler::read_clock(nanoseconds cost) {
  now_ += cost;
  constexpr std::uint64_t reads_per_step = 64;
  if (++clock_reads_ >= reads_per_step) step_of("clock_gettime", -1, 0, 0);
}

void scheduler::run(const fiber& last) {
  while (!last.done && !failure_) {
    run_events();
    fiber* const next = choose();
    if (next == nullptr) {
      if (!jump()) fail("nothing can ever run again:\n" + describe_fibers());
      continue;
    }
    switch_to(*next);
    check_limits();

    if (next->done) {
      next->memory.reset();
      living_.erase(next->number);
      if (in_place_ == next) in_place_ = nullptr;
      if (next != &last && next->detached) forget(*next);
    }
  }
  main_variables_.restore();
}

void scheduler::switch_to(fiber& next) noexcept {
  if (in_place_ != &next) {
    if (in_place_ != nullptr) in_place_->variables.save();
    next.variables.restore();
    in_place_ = &next;
  }
  current_ = &next;
  steps_without_switch_ = 0;
  main_.switch_to(next.where);
  current_ = nullptr;
}

void scheduler::back_to_scheduler() noexcept { current_->where.switch_to(main_); }

fiber* scheduler::choose() {
  std::vector<fiber*> ready;
  for (const auto& [number, each] : living_) {
    if (each->runnable && !each->wakes_last) ready.push_back(each);
  }
  if (ready.empty()) {
    for (const auto& [number, each] : living_) {
      if (!each->runnable) continue;
      each->wakes_last = false;
      ready.push_back(each);
    }
  }
  if (ready.empty()) return nullptr;
  if (ready.size() == 1) return ready.front();
  if (policy_ == policy::uniform) return ready[schedule_random_.below(ready.size())];
  return *std::ranges::max_element(ready, {}, &fiber::priority);
}

bool scheduler::is_most_urgent(const fiber& of) const noexcept {
  return std::ranges::none_of(living_, [&](auto& each) {
    return each.second->runnable && !each.second->wakes_last && each.second->priority > of.priority;
  });
}

bool scheduler::is_alone() const noexcept {
  return std::ranges::none_of(living_, [this](auto& each) { return each.second != current_ && each.second->runnable; });
}

void scheduler::run_events() {
  while (!events_.empty() && events_.top().time <= now_) {
    const std::function<void()> action = std::move(const_cast<event&>(events_.top()).action);
    events_.pop();
    action();
  }
}

bool scheduler::jump() {
  if (events_.empty()) return false;
  now_ = std::max(now_, events_.top().time);
  if (now_ > time_limit) {
    fail("the scenario has not ended within the limit of " + std::to_string(time_limit / 1'000'000'000) +
         " simulated seconds (options::time_limit):\n" + describe_fibers());
  }
  return true;
}

void scheduler::check_limits() {
  if (trace_.steps() % 1024 != 0) return;
  if (static_cast<double>(real_nanoseconds() - real_start_) * 1e-9 < real_seconds_limit) return;
  fail("the scenario has not ended within " + std::to_string(real_seconds_limit) +
       " seconds of real time (options::real_limit):\n" + describe_fibers());
}

void scheduler::at(nanoseconds time, std::function<void()> action) {
  events_.push({.time = time, .order = order_random_.next(), .number = event_count_++, .action = std::move(action)});
}

bool scheduler::wait_at(const void* address, const char* in, std::optional<nanoseconds> deadline, int descriptor) {
  fiber& self = *current_;
  if (deadline && *deadline <= now_) return false;
  self.waits_at = address;
  self.waits_in = in;
  self.waits_for_descriptor = descriptor;
  self.runnable = false;
  self.timed_out = false;
  waiting_[address].push_back(&self);
  if (deadline) {
    at(*deadline, [this, number = self.number, wait = ++self.waits] {
      const auto found = living_.find(number);
      if (found == living_.end()) return;
      fiber* const late = found->second;
      if (late->runnable || late->waits != wait) return;
      std::erase(waiting_[late->waits_at], late);
      late->timed_out = true;
      make_runnable(*late);
    });
  } else {
    ++self.waits;
  }
  back_to_scheduler();
  self.waits_at = nullptr;
  self.waits_in = nullptr;
  return !self.timed_out;
}

void scheduler::make_runnable(fiber& woken) noexcept {
  woken.runnable = true;
  ++woken.waits;
}

std::size_t scheduler::wake_at(const void* address, std::size_t count) {
  const auto found = waiting_.find(address);
  if (found == waiting_.end()) return 0;
  std::size_t woken = 0;
  for (; woken < count && !found->second.empty(); ++woken) {
    const std::size_t chosen = schedule_random_.below(found->second.size());
    fiber& next = *found->second[chosen];
    found->second.erase(found->second.begin() + static_cast<std::ptrdiff_t>(chosen));
    make_runnable(next);
    if (++wakes_ == late_wake) next.wakes_last = true;
  }
  if (found->second.empty()) waiting_.erase(found);
  return woken;
}

void scheduler::step_of(const char* what, int descriptor, std::int64_t result, nanoseconds cost) {
  trace_.add({.time = now_, .what = what, .fiber = current_->number, .descriptor = descriptor, .result = result});
  now_ += cost;
  clock_reads_ = 0;
  bool switches = policy_ == policy::uniform && schedule_random_.once_in(switch_once_in_);
  if (policy_ == policy::priorities && std::ranges::find(change_points_, trace_.steps()) != change_points_.end()) {
    current_->priority = --lowest_priority_;
  }
  if (++steps_without_switch_ >= max_steps_without_switch) {
    steps_without_switch_ = 0;
    yield();
    return;
  }
  run_events();
  if (policy_ == policy::priorities) switches = !is_most_urgent(*current_);
  if (switches) back_to_scheduler();
}

void scheduler::yield() {
  current_->priority = --lowest_priority_;
  if (is_alone() && !events_.empty()) {
    // It waits in a loop for something that only time brings.
    run_events();
    if (is_alone()) now_ = std::max(now_, std::min(events_.top().time, now_ + 1'000'000));
  }
  back_to_scheduler();
}

void scheduler::fail(std::string why) {
  if (!failure_) failure_ = std::move(why);
  if (current_ != nullptr) {
    current_->runnable = false;
    back_to_scheduler();
  }
}

void scheduler::abandon(const machine& on) noexcept {
  std::erase_if(living_, [&](auto& each) {
    if (each.second->on != &on || each.second == current_) return false;
    std::erase(waiting_[each.second->waits_at], each.second);
    return true;
  });
}

bool scheduler::holds_locks(const machine& on) const noexcept {
  return std::ranges::any_of(living_, [&](auto& each) { return each.second->on == &on && each.second->locks > 0; });
}

std::string scheduler::label_of(std::uint32_t number) const {
  const auto found = std::ranges::find_if(fibers_, [number](auto& each) { return each->number == number; });
  return found != fibers_.end() && name_of ? name_of(**found) : "thread " + std::to_string(number);
}

std::string scheduler::describe_fibers() const {
  std::string text;
  for (const auto& [number, each] : living_) {
    text += "  " + (name_of ? name_of(*each) : std::to_string(number)) + ": ";
    text += each->runnable ? "can run" : std::string("waits in ") + (each->waits_in == nullptr ? "?" : each->waits_in);
    if (each->waits_for_descriptor >= 0) text += " for descriptor " + std::to_string(each->waits_for_descriptor);
    text += '\n';
  }
  return text;
}

}  // namespace tare::sim::detail
