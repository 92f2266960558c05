#include "sim/kernel.hpp"

#include "frame/arena.hpp"
#include "sim/calls/real.hpp"
#include "sim/epoll.hpp"
#include "sim/seeded_sqlite.hpp"
#include "sim/socket.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace tare::sim::detail {

namespace {

constexpr std::uint64_t random_purpose = 5;

/// What a clock shows when the world begins.
nanoseconds start_of(clockid_t clock) noexcept {
  const bool is_realtime = clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE || clock == CLOCK_TAI;
  return is_realtime ? kernel::realtime_start * 1'000'000'000 : kernel::monotonic_start;
}

}  // namespace

kernel* kernel::active_ = nullptr;

kernel::kernel(std::uint64_t seed) : fibers(seed), net(seed), random_(seed, random_purpose), seed_(seed) {
  use_thread_calls();
  use_lock_calls();
  use_time_calls();
  use_socket_calls();
  use_descriptor_calls();
  use_file_calls();
  use_name_calls();
  use_disk_calls();
  use_stream_calls();
  if (active_ != nullptr) refuse("a simulation inside a simulation");
  active_ = this;
  fibers.name_of = [](const fiber& of) {
    return (of.on == nullptr ? std::string("?") : of.on->name) + " thread " + std::to_string(of.number);
  };
}

kernel::~kernel() {
  active_ = nullptr;
  // Everything that refers to a machine goes before the machines.
  fibers.forget_events();
  for (const auto& each : streams_) {
    if (const auto stream = each.lock()) stream->forget_peer();
  }
  files_.clear();
  mappings_.clear();
}

machine& kernel::add_machine(std::string name) {
  auto made = std::make_unique<machine>();
  made->name = std::move(name);
  made->ip = 0x0a000001U + static_cast<std::uint32_t>(machines_.size());
  made->disk = std::make_unique<disk_core>(seed_, machines_.size());
  machines_.push_back(std::move(made));
  return *machines_.back();
}

machine* kernel::find(std::string_view name) noexcept {
  const auto found = std::ranges::find_if(machines_, [&](auto& each) { return each->name == name; });
  return found == machines_.end() ? nullptr : found->get();
}

machine* kernel::at_ip(std::uint32_t ip) noexcept {
  const auto found = std::ranges::find_if(machines_, [&](auto& each) { return each->ip == ip; });
  return found == machines_.end() ? nullptr : found->get();
}

std::shared_ptr<stream_socket> kernel::make_stream(machine& on, int family) {
  auto made = std::make_shared<stream_socket>(*this, family);
  made->own = made;
  made->on = &on;
  streams_.push_back(made);
  return made;
}

std::shared_ptr<datagram_socket> kernel::make_datagram(machine& on, int family) {
  auto made = std::make_shared<datagram_socket>(*this, family);
  made->own = made;
  made->on = &on;
  return made;
}

int kernel::open(const std::shared_ptr<file>& opened) {
  machine& on = here();
  if (on.descriptors >= on.max_descriptors) {
    errno = EMFILE;
    return -1;
  }
  ++on.descriptors;
  opened->on = &on;
  // Numbers are not used again, so that a use after the close is found.
  opened->descriptor = next_descriptor_++;
  files_[opened->descriptor] = opened;
  opened->changed();
  return opened->descriptor;
}

std::shared_ptr<file> kernel::at(int descriptor) noexcept {
  const auto found = files_.find(descriptor);
  if (found == files_.end()) {
    errno = EBADF;
    return nullptr;
  }
  // The scenario wakes the hosts' shards, and what hosts share, such as a tare::event, wakes shards of another one.
  const bool is_own = found->second->on == fibers.current()->on;
  if (!is_own && dynamic_cast<const event_counter*>(found->second.get()) == nullptr) {
    errno = EBADF;
    return nullptr;
  }
  return found->second;
}

int kernel::close(int descriptor) {
  const auto closed = at(descriptor);
  if (closed == nullptr) return -1;
  files_.erase(descriptor);
  --closed->on->descriptors;
  for (epoll_file* const each : std::vector(closed->watchers())) {
    each->forget(*closed);
    closed->unwatch(*each);
  }
  closed->closed();
  return 0;
}

std::vector<std::string> kernel::open_descriptors() const {
  std::vector<std::string> open;
  for (const auto& [descriptor, each] : files_) {
    std::string text = each->on->name + " has descriptor " + std::to_string(descriptor);
    if (const auto* const socket = dynamic_cast<const socket_file*>(each.get()); socket != nullptr) {
      text += ", a socket of port " + std::to_string(socket->local.port);
    }
    open.push_back(std::move(text));
  }
  return open;
}

void kernel::drop_descriptors(machine& of) {
  std::erase_if(mappings_, [&of](const mapping& each) { return each.on == &of; });
  for (auto at = files_.begin(); at != files_.end();) {
    const auto dropped = at->second;
    if (dropped->on != &of) {
      ++at;
      continue;
    }
    at = files_.erase(at);
    --of.descriptors;
    for (epoll_file* const each : std::vector(dropped->watchers())) dropped->unwatch(*each);
    if (auto* const stream = dynamic_cast<stream_socket*>(dropped.get()); stream != nullptr) {
      stream->vanish();
    } else {
      dropped->closed();
    }
  }
}

void kernel::reset_connections(const machine& one, const machine& other) {
  for (const auto& each : streams_) {
    const auto stream = each.lock();
    if (stream == nullptr || stream->peer() == nullptr) continue;
    const machine* const here = stream->on;
    const machine* const there = stream->peer()->on;
    if ((here == &one && there == &other) || (here == &other && there == &one)) stream->break_off(ECONNRESET);
  }
}

std::string text_of_ip(std::uint32_t ip) {
  return std::to_string(ip >> 24U) + '.' + std::to_string(ip >> 16U & 255U) + '.' + std::to_string(ip >> 8U & 255U) +
         '.' + std::to_string(ip & 255U);
}

nanoseconds kernel::read_clock(clockid_t clock) {
  fibers.read_clock(clock_read_cost);
  return start_of(clock) + here().clock_at(fibers.now());
}

nanoseconds kernel::deadline_at(nanoseconds shown, clockid_t clock) {
  return fibers.now() + here().lasting(shown - start_of(clock) - here().clock_at(fibers.now()));
}

nanoseconds kernel::real_time() noexcept { return start_of(CLOCK_REALTIME) + here().clock_at(fibers.now()); }

void kernel::remember_mapping(const char* start, std::size_t size, std::shared_ptr<disk_node> mapped) {
  mappings_.push_back({.start = start, .size = size, .on = &here(), .mapped = std::move(mapped)});
}

bool kernel::forget_mapping(const void* start, std::size_t size) {
  const auto found =
      std::ranges::find_if(mappings_, [&](const mapping& each) { return each.start == start && each.size == size; });
  if (found == mappings_.end()) return false;
  mappings_.erase(found);
  return true;
}

bool kernel::is_mapped(const void* start) const noexcept {
  const auto* const address = static_cast<const char*>(start);
  return std::ranges::any_of(
      mappings_, [&](const mapping& each) { return address >= each.start && address < each.start + each.size; });
}

void kernel::fill_random(void* into, std::size_t size) noexcept {
  for (std::size_t i = 0; i < size; ++i)
    static_cast<unsigned char*>(into)[i] = static_cast<unsigned char>(random_.next());
}

bool kernel::is_of_all_runs(const void* lock) const noexcept {
  const auto* const at = static_cast<const std::byte*>(lock);
  const auto* const memory = reinterpret_cast<const std::byte*>(&tare::detail::arena::instance());
  return (at >= memory && at < memory + sizeof(tare::detail::arena)) || is_of_sqlite(lock);
}

void kernel::refuse(const char* call) noexcept {
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-vararg)
  std::fprintf(stderr, "tare::sim: %s is not simulated: keep it out of the scenario (docs/simulation.md)\n", call);
  std::abort();
}

}  // namespace tare::sim::detail
