#pragma once

// How another thread ends the sleep of a shard that does not sleep on its futex (parker.hpp).

namespace tare::detail {

class waker {
 public:
  waker() = default;
  waker(const waker&) = delete;
  waker& operator=(const waker&) = delete;
  virtual ~waker() = default;

  /// Any thread: makes the current or the next sleep end.
  virtual void wake() noexcept = 0;
};

}  // namespace tare::detail
