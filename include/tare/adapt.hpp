#pragma once

// Awaiting types of other libraries: anything with `await_suspend(std::coroutine_handle<>)`.
//
//   int n = co_await tare::adapt(third_party.async_read(buffer));
//
// The other library may resume the handle on any thread; the task resumes on its own shard. For callbacks, see
// `suspend` and `make_oneshot`. For types that only their own coroutines can await, such as asio::awaitable, use the
// callback form of that library.

#include <tare/detail/promise.hpp>
#include <tare/detail/queued_wait.hpp>
#include <tare/detail/wait_node.hpp>

#include <coroutine>
#include <stdexcept>
#include <type_traits>
#include <utility>

namespace tare {

namespace detail {

template <class A>
decltype(auto) awaiter_of(A&& awaitable) {
  if constexpr (requires { static_cast<A&&>(awaitable).operator co_await(); }) {
    return static_cast<A&&>(awaitable).operator co_await();
  } else if constexpr (requires { operator co_await(static_cast<A&&>(awaitable)); }) {
    return operator co_await(static_cast<A&&>(awaitable));
  } else {
    return static_cast<A&&>(awaitable);
  }
}

/// The beginning of a coroutine frame in the ABI of both compilers: std::coroutine_handle can resume and destroy it.
struct resumable {
  void (*resume)(resumable*) noexcept;
  void (*destroy)(resumable*) noexcept;
};

template <class A>
class foreign_awaiter;

/// A is a value, or a reference to an awaitable of the caller.
template <class A>
struct [[nodiscard("nothing happens until it is awaited")]] foreign_request {
  using tare_awaiter = foreign_awaiter<A>;
  A awaitable;
};

template <class A>
class foreign_awaiter : private resumable, private wait_node {
 public:
  foreign_awaiter(foreign_request<A>&& request, wait_state& /*task*/)
      : resumable{.resume = &foreign_awaiter::resumed, .destroy = &foreign_awaiter::destroyed},
        awaitable_(static_cast<A&&>(request.awaitable)),
        awaiter_(awaiter_of(static_cast<A&&>(awaitable_))) {
    wait_node::give_up = [](wait_node&) noexcept {};  // the other library will resume it
  }
  foreign_awaiter(const foreign_awaiter&) = delete;
  foreign_awaiter& operator=(const foreign_awaiter&) = delete;
  ~foreign_awaiter() = default;

  [[nodiscard]] bool await_ready() {
    ready_ = static_cast<bool>(awaiter_.await_ready());
    return ready_at_once(ready_);
  }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> self) {
    wait_state& task = self.promise();
    if (ready_) {  // out of steps
      current_shard->make_ready(task, wait_kind::ready);
      return true;
    }
    if (const auto refused = refuse_if_cancelled(task)) return *refused;
    begin(task);
    try {
      if (suspend_on(std::coroutine_handle<>::from_address(static_cast<resumable*>(this)))) return true;
    } catch (...) {
      end();
      throw;
    }
    end();
    return false;
  }
  decltype(auto) await_resume() {
    current_shard->throw_if_cancelled();
    if (abandoned_) throw std::runtime_error("tare::adapt: the awaitable has destroyed the waiting coroutine");
    return awaiter_.await_resume();
  }

 private:
  [[nodiscard]] bool suspend_on(std::coroutine_handle<> handle) {
    using given = decltype(awaiter_.await_suspend(handle));
    if constexpr (std::is_void_v<given>) {
      awaiter_.await_suspend(handle);
      return true;
    } else if constexpr (std::is_same_v<given, bool>) {
      return awaiter_.await_suspend(handle);
    } else {
      awaiter_.await_suspend(handle).resume();
      return true;
    }
  }
  // Another thread may run these before await_suspend has returned: the task then resumes from its mailbox.
  static void resumed(resumable* self) noexcept { detail::wake(static_cast<foreign_awaiter&>(*self)); }
  static void destroyed(resumable* self) noexcept {
    auto& waiter = static_cast<foreign_awaiter&>(*self);
    waiter.abandoned_ = true;
    detail::wake(waiter);
  }

  A awaitable_;
  decltype(awaiter_of(std::declval<A>())) awaiter_;
  bool ready_ = false;
  bool abandoned_ = false;
};

}  // namespace detail

/// Awaits an awaitable of another library and returns its result. A temporary is moved into the frame; anything else is
/// awaited where it is.
///
/// **Errors** What the awaitable throws. Throws std::runtime_error if the other library destroys the handle instead of
/// resuming it. **Cancellation** A task that is already cancelled does not start the wait and throws `cancelled`. Later
/// cancellation does not end the wait, because only the other library can: use its own way of cancelling, in
/// `on_cancel`. The result is returned, and the next await throws. **Threads** The handle may be resumed on any thread,
/// once, while the runtime exists. **Bytes** 64, the awaitable and its awaiter in the frame.
template <class A>
detail::foreign_request<A> adapt(A&& awaitable) {
  return {std::forward<A>(awaitable)};
}

}  // namespace tare
