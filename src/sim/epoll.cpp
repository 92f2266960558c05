#include "sim/epoll.hpp"

#include "sim/kernel.hpp"

#include <cerrno>
#include <utility>

namespace tare::sim::detail {

void file::changed() {
  if (kernel* const in = kernel::active(); in != nullptr) {
    (void)in->fibers.wake_at(this, SIZE_MAX);
    (void)in->fibers.wake_at(&in->fibers, SIZE_MAX);  // those in poll(2)
  }
  for (epoll_file* const each : std::vector(watchers_)) each->on_change(*this);
}

epoll_file::~epoll_file() {
  for (auto& [number, each] : registrations_) each.of->unwatch(*this);
}

void epoll_file::closed() {
  for (auto& [number, each] : registrations_) each.of->unwatch(*this);
  registrations_.clear();
  listed_.clear();
}

std::uint32_t epoll_file::readiness() const noexcept { return listed_.empty() ? 0U : EPOLLIN; }

void epoll_file::list(registration& changed) {
  if (std::exchange(changed.listed, true)) return;
  listed_.push_back(changed.of->descriptor);
  (void)kernel_.fibers.wake_at(this, 1);
}

void epoll_file::on_change(const file& of) {
  const auto found = registrations_.find(of.descriptor);
  if (found == registrations_.end() || found->second.of.get() != &of) return;
  if ((found->second.event.events & ~(EPOLLONESHOT | EPOLLET)) == 0) return;  // disarmed
  if ((of.readiness() & (found->second.event.events | EPOLLERR | EPOLLHUP)) != 0) list(found->second);
}

void epoll_file::forget(const file& of) {
  const auto found = registrations_.find(of.descriptor);
  if (found != registrations_.end() && found->second.of.get() == &of) registrations_.erase(found);
}

int epoll_file::control(int operation, const std::shared_ptr<file>& of, const epoll_event* event) {
  const auto found = registrations_.find(of->descriptor);
  const bool is_known = found != registrations_.end();
  if (operation == EPOLL_CTL_ADD ? is_known : !is_known) {
    errno = is_known ? EEXIST : ENOENT;
    return -1;
  }
  if (operation == EPOLL_CTL_DEL) {
    of->unwatch(*this);
    registrations_.erase(found);
    return 0;
  }
  registration& changed = registrations_[of->descriptor];
  if (!is_known) {
    changed.of = of;
    of->watch(*this);
  }
  changed.event = *event;
  on_change(*of);
  return 0;
}

int epoll_file::collect(std::span<epoll_event> into) {
  std::size_t count = 0;
  for (std::size_t left = listed_.size(); left != 0 && count < into.size(); --left) {
    const int number = listed_.front();
    listed_.pop_front();
    const auto found = registrations_.find(number);
    if (found == registrations_.end() || !found->second.listed) continue;
    registration& at = found->second;
    at.listed = false;
    const std::uint32_t wanted = at.event.events & ~(EPOLLONESHOT | EPOLLET);
    if (wanted == 0) continue;
    const std::uint32_t events = at.of->readiness() & (wanted | EPOLLERR | EPOLLHUP);
    if (events == 0) continue;
    into[count++] = {.events = events, .data = at.event.data};
    if ((at.event.events & EPOLLONESHOT) != 0) {
      at.event.events &= EPOLLONESHOT | EPOLLET;
    } else if ((at.event.events & EPOLLET) == 0) {
      at.listed = true;
      listed_.push_back(number);
    }
  }
  return static_cast<int>(count);
}

int epoll_file::wait(std::span<epoll_event> into, std::optional<std::int64_t> deadline) {
  for (;;) {
    if (const int count = collect(into); count != 0) return count;
    if (deadline && *deadline <= kernel_.fibers.now()) return 0;
    if (!kernel_.fibers.wait_at(this, "epoll_wait", deadline, descriptor)) return collect(into);
  }
}

}  // namespace tare::sim::detail
