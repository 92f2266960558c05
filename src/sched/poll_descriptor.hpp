#pragma once

// A descriptor by which a loop outside the runtime learns that shard 0 has something to do: an epoll instance of an
// eventfd (work from another thread), a timerfd (the next timer), and the descriptor of the shard's driver (sockets).

#include "sched/descriptor.hpp"
#include "sched/waker.hpp"

#include <cstdint>
#include <optional>

namespace tare::detail {

/// All calls except `wake` come from the thread that runs the shard.
class poll_descriptor final : public waker {
 public:
  /// Throws std::system_error.
  poll_descriptor();

  [[nodiscard]] int get() const noexcept { return epoll_.get(); }
  /// Any thread: makes the descriptor ready until `clear`.
  void wake() noexcept override;
  void clear() noexcept;
  /// From now on the descriptor is ready whenever `driver` is. False if the system has no memory for that.
  [[nodiscard]] bool watch(int driver) noexcept;
  /// Makes the descriptor ready at a time of the steady clock, in nanoseconds. False if the system refuses.
  [[nodiscard]] bool set_timer(std::optional<std::int64_t> at) noexcept;

 private:
  [[nodiscard]] bool add(int fd) noexcept;

  descriptor epoll_;
  descriptor woken_;
  descriptor timer_;
  int watched_ = -1;
  std::optional<std::int64_t> timer_at_;
};

}  // namespace tare::detail
