#include <tare/sim/world.hpp>

#include "sim/socket.hpp"
#include "sim/world_core.hpp"

#include <tare/error.hpp>

#include <algorithm>
#include <memory>
#include <new>
#include <stdexcept>
#include <utility>
#include <vector>

namespace tare::sim {

namespace detail {

namespace {

constexpr std::uint64_t purpose = 6;

/// Keeps a runtime that cannot be destroyed, so that leak checkers find what it refers to.
void abandon(std::unique_ptr<runtime> left) {
  static auto& all = *new std::vector<std::unique_ptr<runtime>>;
  all.push_back(std::move(left));
}

/// During its lifetime, new threads and descriptors belong to another machine.
class as_machine {
 public:
  as_machine(scheduler& fibers, machine& on) : fiber_(*fibers.current()), before_(std::exchange(fiber_.on, &on)) {}
  as_machine(const as_machine&) = delete;
  as_machine& operator=(const as_machine&) = delete;
  ~as_machine() { fiber_.on = before_; }

 private:
  fiber& fiber_;
  machine* before_;
};

}  // namespace

world_core::world_core(std::uint64_t its_seed, const options& chosen)
    : in(its_seed), random(its_seed, purpose), seed(its_seed) {
  in.fibers.time_limit = std::chrono::nanoseconds(chosen.time_limit).count();
  in.fibers.real_seconds_limit = static_cast<double>(chosen.real_limit.count());
  hosts.emplace_back(
      std::make_unique<host_core>(host_core{.in = this, .on = &in.add_machine("world"), .options = {}, .system = {}}));
  prepare(*hosts.back().core_);
  hosts.back().core_->on->disk->may_crash = false;
  in.power_failed = [this](machine& on) { crash_soon(on); };
}

world_core::~world_core() {
  if (!in.fibers.failure()) return;
  for (host& each : hosts) abandon(std::move(each.core_->system));
}

void world_core::note(std::exception_ptr thrown) noexcept {
  if (error) return;
  try {
    std::rethrow_exception(thrown);
  } catch (const cancelled&) {
    if (allows_cancelled) return;
  } catch (const std::bad_alloc&) {
    if (allows_bad_alloc) return;
  } catch (...) {  // NOLINT(bugprone-empty-catch): kept below
  }
  error = std::move(thrown);
}

void world_core::play(const scenario& body) {
  world seen(*this);
  try {
    host_core& own = *outside().core_;
    own.system = std::make_unique<runtime>(
        runtime_options{.unhandled = [this](std::exception_ptr thrown) { note(std::move(thrown)); }});
    own.system->run(body(seen));
  } catch (...) {
    note(std::current_exception());
  }
  for (host& each : hosts) stop(*each.core_);
}

void world_core::prepare(host_core& of) {
  of.on->max_descriptors = of.options.max_descriptors;
  of.on->clock_offset = of.options.clock_offset.count();
  of.on->clock_drift_ppm = of.options.clock_drift_ppm;
  of.on->disk->max_bytes = of.options.disk_bytes;
  of.on->disk->latency = of.options.disk_latency.count();
}

host& world_core::add_host(std::string name, const host_options& options) {
  if (in.find(name) != nullptr) throw std::invalid_argument("tare::sim: there is a host named " + name);
  machine& on = in.add_machine(std::move(name));
  hosts.emplace_back(std::make_unique<host_core>(host_core{.in = this, .on = &on, .options = options, .system = {}}));
  prepare(*hosts.back().core_);
  start(*hosts.back().core_);
  return hosts.back();
}

void world_core::start(host_core& of) {
  const as_machine there(in.fibers, *of.on);
  of.on->up = true;
  of.on->disk->power_on();
  of.system = std::make_unique<runtime>(
      runtime_options{.shards = of.options.shards,
                      .memory_limit = of.options.memory_limit,
                      .blocking_threads = of.options.blocking_threads,
                      .background = true,
                      .unhandled = [this](std::exception_ptr thrown) { note(std::move(thrown)); }});
}

void world_core::stop(host_core& of) {
  // A disk that has lost its power would never let it end.
  if (!of.on->disk->has_power()) crash(of);
  of.on->disk->crash_at = 0;
  const as_machine there(in.fibers, *of.on);
  of.system.reset();
}

void world_core::crash(host_core& of) {
  if (&of == outside().core_.get()) throw std::logic_error("tare::sim: the scenario's own host cannot crash");
  const runtime* const crashed = of.system.get();
  if (crashed == nullptr) return;
  has_crashed = true;
  // Locks of the process, which other hosts need too, are not held for long.
  while (in.fibers.holds_locks(*of.on)) in.fibers.yield();
  if (of.system.get() != crashed) return;  // it has crashed meanwhile
  of.on->disk->lose_power();
  in.fibers.abandon(*of.on);
  in.drop_descriptors(*of.on);
  of.on->up = false;
  abandon(std::move(of.system));  // its threads are gone
}

void world_core::crash_soon(const machine& on) {
  const auto found = std::ranges::find_if(hosts, [&on](const host& each) { return each.core_->on == &on; });
  host_core* const lost = found->core_.get();
  in.fibers.start([this, lost] { crash(*lost); }, outside().core_->on).detached = true;
}

}  // namespace detail

host::host(std::unique_ptr<detail::host_core> core) : core_(std::move(core)) {}
host::~host() = default;

const std::string& host::name() const noexcept { return core_->on->name; }

std::string host::address() const { return detail::text_of_ip(core_->on->ip); }

void host::spawn(task<> detached) {
  if (!is_up()) throw std::logic_error("tare::sim: host::spawn on a host that has crashed: restart it first");
  core_->system->spawn_on(0, std::move(detached));
}

void host::crash() { core_->in->crash(*core_); }

void host::restart() {
  if (!core_->on->disk->has_power()) crash();  // if it has not come to that yet
  if (!core_->system) core_->in->start(*core_);
}

bool host::is_up() const noexcept { return core_->system != nullptr && core_->on->disk->has_power(); }
disk host::disk() noexcept { return sim::disk(*core_->on->disk); }
runtime* host::system() noexcept { return core_->system.get(); }
void host::set_clock(std::chrono::nanoseconds offset) noexcept { core_->on->clock_offset = offset.count(); }
void host::limit_descriptors(std::size_t most) noexcept { core_->on->max_descriptors = most; }
std::size_t host::open_descriptors() const noexcept { return core_->on->descriptors; }

host& world::add_host(std::string name, host_options options) { return core_.add_host(std::move(name), options); }

host& world::here() noexcept { return core_.outside(); }

host& world::at(std::string_view name) {
  const auto found = std::ranges::find_if(core_.hosts, [&](const host& each) { return each.name() == name; });
  if (found == core_.hosts.end()) throw std::out_of_range("tare::sim: no host named " + std::string(name));
  return *found;
}

void world::partition(const host& one, const host& other) {
  partition_one_way(one, other);
  partition_one_way(other, one);
}

void world::partition_one_way(const host& from, const host& to) { core_.in.net.cut(*from.core_->on, *to.core_->on); }

void world::heal(const host& one, const host& other) {
  core_.in.net.mend(*one.core_->on, *other.core_->on);
  core_.in.net.mend(*other.core_->on, *one.core_->on);
}

void world::heal() { core_.in.net.mend_all(); }

void world::set_link(const host& one, const host& other, const link_options& options) {
  set_link_one_way(one, other, options);
  set_link_one_way(other, one, options);
}

void world::set_link_one_way(const host& from, const host& to, const link_options& options) {
  core_.in.net.between(*from.core_->on, *to.core_->on) = {.latency = options.latency.count(),
                                                          .jitter = options.jitter.count(),
                                                          .bytes_per_second = options.bytes_per_second,
                                                          .buffer_bytes = options.buffer_bytes,
                                                          .lost_datagrams = options.lost_datagrams};
}

void world::reset_connections(const host& one, const host& other) {
  core_.in.reset_connections(*one.core_->on, *other.core_->on);
}

void world::watch(std::uint16_t port, make_wire_checker make) { core_.in.watched[port] = std::move(make); }

std::uint64_t world::random_below(std::uint64_t count) noexcept { return core_.random.below(count); }
std::uint64_t world::seed() const noexcept { return core_.seed; }

bool world::fault_may_fail() const noexcept { return core_.fault_may_fail; }

void world::fail(std::string why) {
  core_.in.fibers.fail(std::move(why));
  std::unreachable();
}

}  // namespace tare::sim
