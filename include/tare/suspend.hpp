#pragma once

// Suspends a task until a callback, on any thread, wakes it: for callbacks without a value. For one with a value, use
// `make_oneshot`.
//
//   const auto woken = co_await tare::suspend([&](tare::waker w) {
//     c_api_start(request, &on_done, w.release());              // void on_done(void* p) { tare::waker::from(p).wake();
//     }
//   });
//
// The task and its wakers share a small record, so a waker may be called or destroyed after the task has been
// cancelled, and even after the runtime has ended.

#include <tare/detail/queued_wait.hpp>
#include <tare/error.hpp>

#include <atomic>
#include <concepts>
#include <coroutine>
#include <cstdint>
#include <expected>
#include <mutex>
#include <type_traits>
#include <utility>

namespace tare {

namespace detail {

/// Shared by the awaiter and the wakers, which together count as one reference.
class waker_record {
 public:
  void add_waker() noexcept { wakers_.fetch_add(1, std::memory_order_relaxed); }
  void drop_waker() noexcept {
    if (wakers_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    finish(false);
    drop();
  }
  void drop() noexcept {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }

  /// The first call decides.
  void finish(bool by_wake) noexcept {
    queued_wait* granted = nullptr;
    {
      const std::scoped_lock guard(waiters_.lock);
      if (finished_) return;
      finished_ = true;
      woken_ = by_wake;
      granted = queued_wait::grant_first(waiters_.queue);
    }
    if (granted != nullptr) wake(*granted);
  }
  /// Valid once the wait has ended.
  [[nodiscard]] bool was_woken() noexcept {
    const std::scoped_lock guard(waiters_.lock);
    return woken_;
  }

  /// What await_suspend returns.
  [[nodiscard]] bool wait(queued_wait& node, wait_state& task) noexcept {
    const std::scoped_lock guard(waiters_.lock);
    if (finished_) return current_shard->end_at_once(task);
    if (const auto refused = refuse_if_cancelled(task)) return *refused;
    node.begin(task);
    waiters_.queue.push_back(node);
    return true;
  }
  void give_up(queued_wait& node) noexcept {
    {
      const std::scoped_lock guard(waiters_.lock);
      if (node.granted) return;
      node.leave(waiters_.queue);
    }
    node.wake_here(wait_kind::ready_cancelled);
  }

 private:
  waiters waiters_;
  std::atomic<std::uint32_t> wakers_ = 1;
  std::atomic<std::uint32_t> references_ = 2;
  bool finished_ = false;
  bool woken_ = false;
};

template <class F>
class suspend_awaiter;

template <class F>
struct [[nodiscard("nothing happens until it is awaited")]] suspend_request {
  using tare_awaiter = suspend_awaiter<F>;
  F start;
};

}  // namespace detail

/// Wakes the task of one `suspend`. Copyable; all copies wake the same task, and the first call counts. When the last
/// copy is destroyed and none has been called, the task wakes with `closed`.
///
/// **Threads** Any; separate copies may be used concurrently. **Bytes** 8.
class [[nodiscard("the task wakes when its waker is called or destroyed")]] waker {
 public:
  /// An empty waker, which wakes nothing.
  waker() noexcept = default;
  waker(const waker& other) noexcept : record_(other.record_) {
    if (record_ != nullptr) record_->add_waker();
  }
  waker(waker&& other) noexcept : record_(std::exchange(other.record_, nullptr)) {}
  waker& operator=(const waker& other) noexcept {
    waker copy(other);
    std::swap(record_, copy.record_);
    return *this;
  }
  waker& operator=(waker&& other) noexcept {
    waker taken(std::move(other));
    std::swap(record_, taken.record_);
    return *this;
  }
  ~waker() {
    if (record_ != nullptr) record_->drop_waker();
  }

  /// Queues the task, which resumes on its shard, not inside this call. Does nothing if the task has been woken or
  /// cancelled, or if the waker is empty.
  ///
  /// **Errors** None. **Threads** Any, also one that holds locks; does not block.
  void wake() const noexcept {
    if (record_ != nullptr) record_->finish(true);
  }

  /// For C callbacks: turns the waker into a pointer, and leaves it empty. Turn the pointer back, exactly once, with
  /// `from`. Null for an empty waker.
  [[nodiscard("it must be given back to `from`")]] void* release() noexcept { return std::exchange(record_, nullptr); }
  [[nodiscard]] static waker from(void* released) noexcept {
    return waker(static_cast<detail::waker_record*>(released));
  }

 private:
  template <class F>
  friend class detail::suspend_awaiter;
  explicit waker(detail::waker_record* record) noexcept : record_(record) {}

  detail::waker_record* record_ = nullptr;
};

namespace detail {

template <class F>
class suspend_awaiter : private queued_wait {
 public:
  suspend_awaiter(suspend_request<F>&& request, wait_state& /*task*/) noexcept(std::is_nothrow_move_constructible_v<F>)
      : start_(std::move(request.start)) {}
  suspend_awaiter(const suspend_awaiter&) = delete;
  suspend_awaiter& operator=(const suspend_awaiter&) = delete;
  ~suspend_awaiter() {
    if (record_ != nullptr) record_->drop();
  }

  [[nodiscard]] static bool await_ready() noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> self) {
    wait_state& task = self.promise();
    if (const auto refused = refuse_if_cancelled(task)) return *refused;
    record_ = new waker_record;
    wait_node::give_up = [](wait_node& node) noexcept {
      auto& waiter = static_cast<suspend_awaiter&>(node);
      waiter.record_->give_up(waiter);
    };
    std::move(start_)(waker(record_));
    return record_->wait(*this, task);
  }
  std::expected<void, closed> await_resume() {
    current_shard->throw_if_cancelled();
    if (!record_->was_woken()) return std::unexpected(closed());
    return {};
  }

 private:
  F start_;
  waker_record* record_ = nullptr;
};

}  // namespace detail

/// Calls `start` with a waker, and suspends the task until the waker, or a copy, is called. The waker may be called
/// before `start` has returned.
///
/// **Errors** Returns std::expected<void, closed>: `closed` if all copies were destroyed without a call. Throws
/// std::bad_alloc, and what `start` throws. **Cancellation** Ends the wait; the waker then wakes nothing. What `start`
/// has begun continues: pass `on_cancel` to stop it. If the task is cancelled before, `start` is not called.
/// **Threads** `start` runs on the task's shard. **Bytes** An allocation of 24; 48 and `start` in the frame.
template <std::invocable<waker> F>
detail::suspend_request<F> suspend(F start) noexcept(std::is_nothrow_move_constructible_v<F>) {
  return {std::move(start)};
}

}  // namespace tare
