#pragma once

// The event that a long poll has waited for (`topic::wait_for`).
//
//   const http::polled next = co_await prices.wait_for(request, known, 30s);
//   if (next) (void)co_await response.set("event-id", next.id()).send("text/plain", next.data());
//
// **Bytes** 8. The event is shared by all who have it, and its data count toward the memory budget.

#include <tare/detail/link.hpp>

#include <string_view>
#include <utility>

namespace tare::http {

namespace detail {
class poll_wait;
/// Counts down the references of an event that a topic has published.
void release_event(tare::detail::link record) noexcept;
}  // namespace detail

/// Move-only.
///
/// **Errors** The functions that return a part of the event abort the program if there is none. **Cancellation** They
/// do not wait. **Threads** The shard of the topic. **Bytes** 8.
class polled {
 public:
  polled(polled&& other) noexcept
      : event_(std::exchange(other.event_, tare::detail::no_link)), has_gap_(other.has_gap_) {}
  polled& operator=(polled&& other) noexcept {
    polled moved(std::move(other));
    std::swap(event_, moved.event_);
    std::swap(has_gap_, moved.has_gap_);
    return *this;
  }
  polled(const polled&) = delete;
  polled& operator=(const polled&) = delete;
  ~polled() {
    if (event_ != tare::detail::no_link) detail::release_event(event_);
  }

  /// False if nothing was published in time, if the server drains, and if there is a gap.
  [[nodiscard]] explicit operator bool() const noexcept { return event_ != tare::detail::no_link; }
  /// The event that the client knows is not kept any more, so the client may have missed others: send it what it must
  /// know first, and `topic::last_id`.
  [[nodiscard]] bool has_gap() const noexcept { return has_gap_; }
  /// The event. The views are valid as long as this object, or the one that it is moved into.
  [[nodiscard]] std::string_view data() const noexcept;
  [[nodiscard]] std::string_view name() const noexcept;
  [[nodiscard]] std::string_view id() const noexcept;

 private:
  friend class detail::poll_wait;
  polled(tare::detail::link event, bool has_gap) noexcept : event_(event), has_gap_(has_gap) {}

  tare::detail::link event_;
  bool has_gap_;
};
static_assert(sizeof(polled) == 8);

}  // namespace tare::http
