#include "sched/poll_descriptor.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <system_error>

namespace tare::detail {

poll_descriptor::poll_descriptor()
    : epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      woken_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      timer_(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)) {
  if (!add(woken_.get()) || !add(timer_.get())) throw std::system_error(errno, std::system_category());
}

void poll_descriptor::wake() noexcept {
  const std::uint64_t once = 1;
  (void)!::write(woken_.get(), &once, sizeof(once));
}

void poll_descriptor::clear() noexcept {
  std::uint64_t times = 0;
  (void)!::read(woken_.get(), &times, sizeof(times));
}

bool poll_descriptor::watch(int driver) noexcept {
  if (driver != watched_ && add(driver)) watched_ = driver;
  return driver == watched_;
}

bool poll_descriptor::set_timer(std::optional<std::int64_t> at) noexcept {
  if (at == timer_at_ && !at) return true;
  itimerspec when{};
  if (at) when.it_value = {.tv_sec = static_cast<std::time_t>(*at / 1'000'000'000), .tv_nsec = *at % 1'000'000'000};
  if (::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &when, nullptr) != 0) return false;
  timer_at_ = at;
  return true;
}

bool poll_descriptor::add(int fd) noexcept {
  epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
  return ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0;
}

}  // namespace tare::detail
