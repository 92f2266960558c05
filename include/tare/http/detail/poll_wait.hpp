#pragma once

// The wait of a request for the next event of a topic: 24 bytes in the awaiting frame. The task is asleep until its
// time is up, and the topic wakes it earlier; so the time limit needs no timer of its own.

#include <tare/detail/link.hpp>
#include <tare/detail/promise.hpp>
#include <tare/http/polled.hpp>

#include <coroutine>
#include <cstdint>

namespace tare::http::detail {

class topic_core;
class poll_wait;

enum class poll_state : std::uint8_t {
  waits,
  has_event,
  has_gap,   ///< the event that the client knows is not kept any more
  is_ended,  ///< the server drains: no event may be waited for
};

struct [[nodiscard("nothing happens until it is awaited")]] poll_request {
  using tare_awaiter = poll_wait;
  tare::detail::link topic;
  tare::detail::link group;  ///< of the connection
  std::uint32_t at;          ///< the number of the event that is waited for, modulo 2^30
  poll_state state;
  std::int64_t nanoseconds;
};

class alignas(8) poll_wait {
 public:
  poll_wait(poll_request request, tare::detail::wait_state& task) noexcept
      : topic_(request.topic),
        what_(request.group),
        at_(request.at & 0x3FFF'FFFFU),
        state_(static_cast<std::uint32_t>(request.state) & 3U) {
    // Where a sleeping task has its time.
    const auto bits = static_cast<std::uint64_t>(request.nanoseconds);
    task.next = static_cast<tare::detail::link>(bits);
    task.prev = static_cast<tare::detail::link>(bits >> 32U);
    task.set_kind(tare::detail::wait_kind::none);
  }
  poll_wait(const poll_wait&) = delete;
  poll_wait& operator=(const poll_wait&) = delete;
  ~poll_wait() {
    leave();
    if (state() == poll_state::has_event) release_event(what_);
  }

  [[nodiscard]] bool await_ready() noexcept { return take() && --tare::detail::current_shard->budget >= 0; }
  template <class Promise>
  [[nodiscard]] bool await_suspend(std::coroutine_handle<Promise> self) noexcept {
    return begin(self.promise());
  }
  [[nodiscard]] polled await_resume() {
    tare::detail::current_shard->throw_if_cancelled();
    const bool has_gap = state() == poll_state::has_gap;
    if (state() != poll_state::has_event) return {tare::detail::no_link, has_gap};
    set_state(poll_state::is_ended);
    return {what_, has_gap};
  }

 private:
  friend class topic_core;
  /// True if there is nothing to wait for.
  [[nodiscard]] bool take() noexcept;
  [[nodiscard]] bool begin(tare::detail::wait_state& task) noexcept;
  void leave() noexcept;
  [[nodiscard]] poll_state state() const noexcept { return static_cast<poll_state>(state_); }
  void set_state(poll_state to) noexcept { state_ = static_cast<std::uint32_t>(to) & 3U; }

  tare::detail::link topic_;
  tare::detail::link owner_ = tare::detail::no_link;  ///< the wait state of the task, while it is in the topic's list
  tare::detail::link next_ = tare::detail::no_link;
  tare::detail::link previous_ = tare::detail::no_link;
  tare::detail::link what_;  ///< the event if it has one, otherwise the group of the connection
  std::uint32_t at_ : 30;
  std::uint32_t state_ : 2;
};
static_assert(sizeof(poll_wait) == 24);

}  // namespace tare::http::detail
