#pragma once

// Waits for the first of several requests, and takes nothing from the others.
//
//   auto got = co_await tare::select(jobs.receive(), stop.wait(), tare::sleep_for(1s));
//   switch (got.index()) {
//     case 0: run(std::get<0>(got)); break;         // std::expected<job, closed>
//     case 1: co_return;                            // `jobs` still has what it had
//   }
//
// Requests: `receive` and `send` of a channel or broadcast, `receive` of a oneshot, `changed` of a watch, `acquire` of
// a semaphore, `lock` of a mutex, shared_mutex or guarded value, `wait` of an event, latch or notify, `sleep_for`,
// `sleep_until`, `join` of a handle, `readable` and `writable` of a net::stream. For tasks, see `when_any`, which drops
// what the losers deliver. Not: `wait` of a condition_variable, because a loser would have to lock the mutex again, nor
// `arrive_and_wait` of a barrier, because the last arrival would have to win the selects of all others at once.
//
// **Bytes** 40, and per request what waiting for it alone takes, in the awaiting frame; a sleep takes 48, readiness
// 16. The overloads for a vector keep the waits in a record. Nothing is allocated while waiting.

#include <tare/detail/join_group.hpp>
#include <tare/detail/random.hpp>
#include <tare/detail/select_arm.hpp>

#include <array>
#include <concepts>
#include <coroutine>
#include <cstddef>
#include <memory>
#include <stdexcept>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace tare {

namespace detail {

template <bool InOrder, class... A>
class select_awaiter;

/// Each A is a request, or a reference to one.
template <bool InOrder, class... A>
struct [[nodiscard("nothing happens until it is awaited")]] select_request {
  using tare_awaiter = select_awaiter<InOrder, A...>;
  std::tuple<A...> requests;
};

template <class... A>
class select_arms {
 public:
  select_arms(std::tuple<A...>& requests, wait_state& task)
      : select_arms(requests, task, std::index_sequence_for<A...>()) {}

  [[nodiscard]] static constexpr std::size_t size() noexcept { return sizeof...(A); }
  template <class F>
  [[gnu::always_inline]] void visit(std::size_t index, F function) {
    [&]<std::size_t... I>(std::index_sequence<I...>) __attribute__((always_inline)) {
      ((I == index ? (void)function(std::get<I>(arms_)) : (void)0), ...);
    }(std::index_sequence_for<A...>());
  }
  template <std::size_t I>
  [[nodiscard]] auto& get() noexcept {
    return std::get<I>(arms_);
  }

 private:
  template <std::size_t... I>
  select_arms(std::tuple<A...>& requests, wait_state& task, std::index_sequence<I...> /*unused*/)
      : arms_(arm_source<A>{.request = std::addressof(std::get<I>(requests)), .task = &task}...) {}

  std::tuple<select_arm<A>...> arms_;
};

template <bool InOrder, class... A>
class select_awaiter {
  using result = std::variant<regular_t<typename select_arm<A>::result>...>;

 public:
  select_awaiter(select_request<InOrder, A...>&& request, wait_state& task) : arms_(request.requests, task) {}

  [[nodiscard]] static bool await_ready() noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> self) {
    std::array<brief_lock*, sizeof...(A)> locks;
    return wait_.suspend(self.promise(), arms_, locks.data(), InOrder ? 0 : random_below(sizeof...(A)));
  }
  result await_resume() {
    wait_.finish(arms_);
    return take<0>(wait_.claimed.load(std::memory_order_relaxed));
  }

 private:
  template <std::size_t I>
  result take(link winner) {
    auto& arm = arms_.template get<I>();
    if constexpr (I + 1 < sizeof...(A)) {
      if (arm.id() != winner) return take<I + 1>(winner);
    }
    if constexpr (std::is_void_v<typename std::remove_reference_t<decltype(arm)>::result>) {
      arm.take();
      return result(std::in_place_index<I>);
    } else {
      return result(std::in_place_index<I>, arm.take());
    }
  }

  select_wait wait_;
  select_arms<A...> arms_;
};

/// Arms in a record of the arena: links must be able to point to them.
template <class A>
class select_arm_array {
 public:
  select_arm_array(std::vector<A>& requests, wait_state& task)
      : arms_(static_cast<select_arm<A>*>(allocate_record(requests.size() * sizeof(select_arm<A>)))) {
    static_assert(alignof(select_arm<A>) <= 64);
    try {
      for (A& each : requests) {
        ::new (static_cast<void*>(arms_ + size_)) select_arm<A>(arm_source<A>{.request = &each, .task = &task});
        ++size_;
      }
    } catch (...) {
      clear();
      throw;
    }
  }
  select_arm_array(const select_arm_array&) = delete;
  select_arm_array& operator=(const select_arm_array&) = delete;
  ~select_arm_array() { clear(); }

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  template <class F>
  void visit(std::size_t index, F function) {
    function(arms_[index]);
  }
  [[nodiscard]] select_arm<A>& operator[](std::size_t index) noexcept { return arms_[index]; }

 private:
  void clear() noexcept {
    std::destroy_n(arms_, size_);
    free_record(arms_);
  }

  select_arm<A>* arms_;
  std::size_t size_ = 0;
};

template <bool InOrder, class A>
class select_range_awaiter;

template <bool InOrder, class A>
struct [[nodiscard("nothing happens until it is awaited")]] select_range_request {
  using tare_awaiter = select_range_awaiter<InOrder, A>;
  std::vector<A> requests;
};

template <bool InOrder, class A>
class select_range_awaiter {
  using result = select_arm<A>::result;

 public:
  // Not noexcept: may throw std::bad_alloc before anything has been taken.
  select_range_awaiter(select_range_request<InOrder, A>&& request, wait_state& task)
      : arms_(not_empty(request.requests), task), locks_(request.requests.size()) {}

  [[nodiscard]] static bool await_ready() noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> self) {
    return wait_.suspend(self.promise(), arms_, locks_.all().data(), InOrder ? 0 : random_below(arms_.size()));
  }
  std::pair<std::size_t, regular_t<result>> await_resume() {
    wait_.finish(arms_);
    std::size_t winner = 0;
    while (arms_[winner].id() != wait_.claimed.load(std::memory_order_relaxed)) ++winner;
    if constexpr (std::is_void_v<result>) {
      arms_[winner].take();
      return {winner, std::monostate()};
    } else {
      return {winner, arms_[winner].take()};
    }
  }

 private:
  [[nodiscard]] static std::vector<A>& not_empty(std::vector<A>& requests) {
    if (requests.empty()) throw std::invalid_argument("tare::select: the vector is empty");
    return requests;
  }

  select_wait wait_;
  select_arm_array<A> arms_;
  arena_array<brief_lock*> locks_;
};

/// Messages of the compiler for what cannot be selected.
template <class A>
inline constexpr bool check_arm = [] {
  static_assert(selectable<A>,
                "tare::select takes requests such as channel.receive(), not tasks: use when_any for tasks");
  return true;
}();

template <class A>
inline constexpr bool is_vector = false;
template <class A>
inline constexpr bool is_vector<std::vector<A>> = true;

}  // namespace detail

/// Waits until one of the requests can be completed, completes that one, and returns a std::variant whose index is its
/// position; std::monostate stands for void. If several can be completed, each may be chosen. A request that was not
/// chosen has taken and given nothing. The value of a `send` that was not chosen is destroyed with the request; pass
/// the request as an lvalue, and it gets the value back:
///
///     auto put = out.send(std::move(value));
///     auto got = co_await tare::select(put, stop.wait());      // if got.index() == 1, put.value is the value
///
/// `sleep_for(0s)` is chosen if no other request can be completed immediately.
///
/// **Errors** As each request reports them in its result, such as std::expected<T, closed>. **Cancellation** A
/// cancelled select has taken and given nothing, and throws `cancelled`. **Threads** Any shard; the primitives may be
/// used on other shards and threads as usual. **Bytes** 40 and the waits in the frame.
template <class... A>
  requires(sizeof...(A) > 0 && !(detail::is_vector<std::remove_cvref_t<A>> || ...))
auto select(A&&... requests) {
  static_assert((detail::check_arm<std::remove_cvref_t<A>> && ...));
  return detail::select_request<false, A...>{std::tuple<A...>(std::forward<A>(requests)...)};
}

/// The same, but of several requests that can be completed immediately, the first is chosen.
///
/// **Errors**, **Cancellation**, **Threads**, **Bytes** As for `select`.
template <class... A>
  requires(sizeof...(A) > 0 && !(detail::is_vector<std::remove_cvref_t<A>> || ...))
auto select_in_order(A&&... requests) {
  static_assert((detail::check_arm<std::remove_cvref_t<A>> && ...));
  return detail::select_request<true, A...>{std::tuple<A...>(std::forward<A>(requests)...)};
}

/// Waits for the first of a number of requests known only at run time. Returns a std::pair of its position and its
/// result.
///
/// **Errors** Throws std::invalid_argument if the vector is empty, and std::bad_alloc; nothing has been taken then.
/// **Cancellation**, **Threads** As for `select`. **Bytes** 72 in the frame, and the waits in a record of the arena.
template <detail::selectable A>
auto select(std::vector<A> requests) noexcept {
  return detail::select_range_request<false, A>{std::move(requests)};
}

/// The same, but of several requests that can be completed immediately, the first is chosen.
///
/// **Errors**, **Cancellation**, **Threads**, **Bytes** As for `select`.
template <detail::selectable A>
auto select_in_order(std::vector<A> requests) noexcept {
  return detail::select_range_request<true, A>{std::move(requests)};
}

}  // namespace tare
