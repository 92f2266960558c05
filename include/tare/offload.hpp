#pragma once

// Calls that would block a shard: file systems, name lookups, compression, blocking libraries.
//
//   auto digest = co_await tare::offload([&] { return sha256_of(file); });
//
// The call runs on a thread of the runtime's pool, which has at most `runtime_options::blocking_threads`; further calls
// wait in a queue. A thread that has been idle for 10 seconds ends. If the library can interrupt a call, pass that as
// the second function:
//
//   co_await tare::offload([&] { return sqlite3_step(row); }, [&]() noexcept { sqlite3_interrupt(db); });
//
// **Errors** What the function throws, and std::system_error if no thread can be started. **Cancellation** Withdraws a
// call that has not begun; a call that has begun is awaited and its result returned, because a thread cannot be
// stopped. **Threads** Call it from a task; the function runs on a thread of the pool. **Bytes** 80, the function
// object and its result, in the awaiting frame.

#include <tare/detail/blocking_call.hpp>
#include <tare/detail/join_group.hpp>
#include <tare/detail/queued_wait.hpp>

#include <concepts>
#include <coroutine>
#include <exception>
#include <functional>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace tare {

namespace detail {

template <class F, class I>
class offload_awaiter;

struct no_interrupt {
  void operator()() const noexcept {}
};

template <class F, class I>
struct [[nodiscard("nothing happens until it is awaited")]] offload_request {
  using tare_awaiter = offload_awaiter<F, I>;
  F function;
  [[no_unique_address]] I interrupt;
};

template <class F, class I>
class offload_awaiter : private blocking_call {
  using result = std::invoke_result_t<F>;

 public:
  offload_awaiter(offload_request<F, I>&& request, wait_state& /*task*/)
      : function_(std::move(request.function)), interrupt_(std::move(request.interrupt)) {}

  [[nodiscard]] static bool await_ready() noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> self) {
    if (const auto refused = refuse_if_cancelled(self.promise())) return *refused;
    blocking_call::run = [](blocking_call& call) noexcept { static_cast<offload_awaiter&>(call).call(); };
    blocking_call::give_up = [](wait_node& node) noexcept {
      auto& call = static_cast<offload_awaiter&>(node);
      if (take_back(call)) {
        call.wake_here(wait_kind::ready_cancelled);
      } else {
        call.interrupt_();
      }
    };
    start_blocking(*this, self.promise());
    return true;
  }
  result await_resume() {
    current_shard->throw_if_cancelled();
    if (error_) std::rethrow_exception(error_);
    if constexpr (!std::is_void_v<result>) return room_.take();
  }

 private:
  void call() noexcept {
    try {
      if constexpr (std::is_void_v<result>) {
        std::invoke(std::move(function_));
      } else if constexpr (std::is_reference_v<result>) {
        ::new (room_.place()) std::add_pointer_t<result>(std::addressof(std::invoke(std::move(function_))));
      } else {
        ::new (room_.place()) result(std::invoke(std::move(function_)));
      }
    } catch (...) {
      error_ = std::current_exception();
    }
  }

  F function_;
  [[no_unique_address]] I interrupt_;
  std::exception_ptr error_;
  [[no_unique_address]] result_room<result> room_;
};

}  // namespace detail

/// Runs `function` on a thread of the blocking pool and returns its result or throws its error. Cancellation withdraws
/// a call that has not begun; a call that has begun is awaited and its result returned, because a thread cannot be
/// stopped. Throws std::system_error if no thread can be started.
template <std::invocable F>
detail::offload_request<F, detail::no_interrupt> offload(F function) {
  return {std::move(function), {}};
}

/// Like the above, but if the task is cancelled while the call is running, `interrupt` is called on the task's shard to
/// make the call return early. It must not throw or block, and may run just after the call has returned.
template <std::invocable F, std::invocable I>
  requires std::is_nothrow_invocable_v<I&>
detail::offload_request<F, I> offload(F function, I interrupt) {
  return {std::move(function), std::move(interrupt)};
}

}  // namespace tare
