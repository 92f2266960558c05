#include "frame/heap.hpp"
#include "io/reactor.hpp"
#include "sched/descriptor.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <ctime>
#include <utility>

namespace tare::detail {

namespace {

static_assert(event_in == EPOLLIN && event_out == EPOLLOUT && event_error == EPOLLERR && event_hang_up == EPOLLHUP &&
              event_peer_closed == EPOLLRDHUP);

/// Edge-triggered: one epoll_ctl per connection.
class epoll_poller final : public poller {
 public:
  explicit epoll_poller(reactor& reports_to)
      : reactor_(reports_to), epoll_(::epoll_create1(EPOLL_CLOEXEC)), woken_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    epoll_event event{.events = EPOLLIN, .data = {.u64 = no_link}};
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, woken_.get(), &event) != 0) {
      throw std::system_error(errno, std::system_category());
    }
  }

  std::error_code watch(io_slot& slot) noexcept override {
    return add(slot, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
  }

  std::error_code watch_once(io_slot& slot, std::uint32_t events) noexcept override {
    // Removes only its own registration: a stream's registration of the same descriptor stays.
    if (slot.has(io_armed)) {
      const std::error_code error = control(EPOLL_CTL_MOD, slot, events | EPOLLRDHUP | EPOLLONESHOT);
      if (error.value() != ENOENT) return error;
      slot.clear(io_armed);  // it was closed, which ends the registration
    }
    const std::error_code error = add(slot, events | EPOLLRDHUP | EPOLLONESHOT);
    if (!error) slot.set(io_armed);
    return error;
  }

  void unwatch(io_slot& slot) noexcept override {
    if (slot.has(io_foreign) && !slot.has(io_armed)) return;
    slot.clear(io_armed);
    // Closing would suffice, unless a duplicate exists.
    (void)::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, slot.fd, nullptr);
  }

  void wait(std::optional<std::chrono::nanoseconds> longest) noexcept override {
    std::array<epoll_event, 256> events;
    const int count = wait_for(events.data(), static_cast<int>(events.size()), longest);
    for (int i = 0; i < count; ++i) {
      const std::uint64_t data = events[static_cast<std::size_t>(i)].data.u64;
      const auto named = static_cast<link>(data);
      if (named == no_link) {
        std::uint64_t times = 0;
        (void)!::read(woken_.get(), &times, sizeof(times));
        continue;
      }
      auto& slot = *from_link<io_slot>(named);
      // An earlier event in this batch may have closed this descriptor.
      if (slot.has(io_used) && slot.generation == static_cast<std::uint16_t>(data >> 32U)) {
        reactor_.on_event(slot, events[static_cast<std::size_t>(i)].events);
      }
    }
  }

  void wake() noexcept override {
    const std::uint64_t once = 1;
    (void)!::write(woken_.get(), &once, sizeof(once));
  }

  int native_handle() const noexcept override { return epoll_.get(); }
  const char* name() const noexcept override { return "epoll"; }

 private:
  std::error_code add(io_slot& slot, std::uint32_t events) const noexcept {
    const std::error_code error = control(EPOLL_CTL_ADD, slot, events);
    // A stream, and a separate wait for its descriptor.
    if (error.value() == EEXIST) return std::make_error_code(std::errc::device_or_resource_busy);
    return error;
  }

  std::error_code control(int how, io_slot& slot, std::uint32_t events) const noexcept {
    epoll_event event{.events = events, .data = {.u64 = to_link(&slot) | std::uint64_t{slot.generation} << 32U}};
    if (::epoll_ctl(epoll_.get(), how, slot.fd, &event) == 0) return {};
    return {errno, std::generic_category()};
  }

  [[nodiscard]] int wait_for(epoll_event* events, int most,
                             std::optional<std::chrono::nanoseconds> longest) const noexcept {
    if (longest == std::chrono::nanoseconds(0)) return ::epoll_wait(epoll_.get(), events, most, 0);
    const heap::rest resting(reactor_.frames());
    timespec limit{};
    if (longest) {
      limit.tv_sec = static_cast<std::time_t>(longest->count() / 1'000'000'000);
      limit.tv_nsec = longest->count() % 1'000'000'000;
    }
    const int count = ::epoll_pwait2(epoll_.get(), events, most, longest ? &limit : nullptr, nullptr);
    if (count >= 0 || errno != ENOSYS) return count;
    // Before Linux 5.11: in milliseconds, rounded up.
    const std::int64_t milliseconds = longest ? (longest->count() + 999'999) / 1'000'000 : -1;
    return ::epoll_wait(epoll_.get(), events, most, static_cast<int>(std::min<std::int64_t>(milliseconds, 60'000)));
  }

  reactor& reactor_;
  descriptor epoll_;
  descriptor woken_;
};

}  // namespace

std::unique_ptr<poller> make_epoll_poller(reactor& reports_to) { return std::make_unique<epoll_poller>(reports_to); }

}  // namespace tare::detail
