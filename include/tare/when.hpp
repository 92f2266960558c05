#pragma once

// Waiting for several tasks at once.
//
//   auto [user, items] = co_await tare::when_all(load_user(id), load_items(id));
//   auto first = co_await tare::when_any(from_cache(id), from_database(id));   // std::variant
//
// The tasks run on the current shard. All of them have ended when the await returns or throws: losers and the siblings
// of a failed task are cancelled and awaited. Cancelling the awaiting task cancels all of them.
//
// Bytes, in addition to the tasks' own frames: 80, plus 48 and the result per task. They are in the awaiting frame, or,
// for the overloads that take a vector, in an arena record.

#include <tare/detail/join_group.hpp>
#include <tare/error.hpp>
#include <tare/task.hpp>

#include <array>
#include <cstddef>
#include <exception>
#include <expected>
#include <optional>
#include <stdexcept>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace tare {

namespace detail {

/// The name of the call in messages.
template <group_policy Policy>
inline constexpr const char* when_call = "when_all";
template <>
inline constexpr const char* when_call<group_policy::first_end_decides> = "when_any";
template <>
inline constexpr const char* when_call<group_policy::nothing_decides> = "when_all_settled";

/// How a task has ended.
template <class T>
using settled = std::expected<storable_t<T>, std::exception_ptr>;

/// Tasks and requests, but not tasks alone.
template <class... A>
concept mixed_awaitables = ((is_task<A> || request<A>) && ...) && !(is_task<A> && ...);

/// Results are moved out one by one; if a move throws, this calls `drop(i)` for the remaining results.
template <class Drop>
class drop_rest {
 public:
  drop_rest(std::size_t count, Drop drop) noexcept : count_(count), drop_(drop) {}
  drop_rest(const drop_rest&) = delete;
  drop_rest& operator=(const drop_rest&) = delete;
  ~drop_rest() {
    for (; next_ < count_; ++next_) drop_(next_);
  }
  template <class Room>
  [[nodiscard]] decltype(auto) take(Room& from) {
    ++next_;
    return from.take();
  }
  void skip() noexcept { ++next_; }

 private:
  std::size_t next_ = 0;
  std::size_t count_;
  Drop drop_;
};

template <class T, class Drop>
settled<T> settle(group_member& member, result_room<T>& room, drop_rest<Drop>& rest) {
  if (member.error || std::is_void_v<T>) rest.skip();
  if (member.error) return settled<T>(std::unexpect, member.error);
  if constexpr (std::is_void_v<T>) {
    return {};
  } else {
    return rest.take(room);
  }
}

template <group_policy Policy, class... T>
class when_awaiter;
template <group_policy Policy, class T>
class when_range_awaiter;

template <group_policy Policy, class... T>
struct [[nodiscard("nothing happens until it is awaited")]] when_request {
  using tare_awaiter = when_awaiter<Policy, T...>;
  std::tuple<task<T>...> tasks;
};

template <group_policy Policy, class T>
struct [[nodiscard("nothing happens until it is awaited")]] when_range_request {
  using tare_awaiter = when_range_awaiter<Policy, T>;
  std::vector<task<T>> tasks;
};

template <group_policy Policy, class... T>
class when_awaiter {
  static constexpr std::size_t count = sizeof...(T);
  static constexpr auto indices = std::index_sequence_for<T...>();
  static constexpr const char* call = when_call<Policy>;

 public:
  when_awaiter(when_request<Policy, T...>&& request, wait_state& /*waiting*/) noexcept : group_(Policy) {
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      ((members_[I].child = std::get<I>(request.tasks).release(call), members_[I].result = std::get<I>(rooms_).place()),
       ...);
    }(indices);
  }

  [[nodiscard]] static bool await_ready() noexcept { return count == 0; }
  template <class Promise>
  void await_suspend(std::coroutine_handle<Promise> self) noexcept {
    group_.start(self.promise(), members_);
  }

  auto await_resume() {
    group_member* decisive = group_.decisive();
    if constexpr (Policy == group_policy::first_error_decides) {
      if (decisive != nullptr) {
        drop_all_but(count);
        std::rethrow_exception(decisive->error);
      }
      if constexpr (!(std::is_void_v<T> && ...)) {
        drop_rest rest(count, [this](std::size_t index) noexcept { drop(index); });
        return [&]<std::size_t... I>(std::index_sequence<I...>) {
          return std::tuple<regular_t<T>...>{rest.take(std::get<I>(rooms_))...};
        }(indices);
      }
    } else if constexpr (Policy == group_policy::nothing_decides) {
      drop_rest rest(count, [this](std::size_t index) noexcept {
        if (!members_[index].error) drop(index);
      });
      return [&]<std::size_t... I>(std::index_sequence<I...>) {
        return std::tuple<settled<T>...>{settle<T>(members_[I], std::get<I>(rooms_), rest)...};
      }(indices);
    } else {
      const auto winner = static_cast<std::size_t>(decisive - members_.data());
      drop_all_but(winner);
      if (decisive->error) std::rethrow_exception(decisive->error);
      std::optional<std::variant<regular_t<storable_t<T>>...>> result;
      [&]<std::size_t... I>(std::index_sequence<I...>) {
        ((I == winner ? (void)result.emplace(std::in_place_index<I>, std::get<I>(rooms_).take()) : (void)0), ...);
      }(indices);
      return std::move(*result);  // NOLINT(bugprone-unchecked-optional-access): exactly one has won
    }
  }

 private:
  void drop(std::size_t index) noexcept {
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      ((I == index ? std::get<I>(rooms_).drop() : (void)0), ...);
    }(indices);
  }
  void drop_all_but(std::size_t kept) noexcept {
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      ((I != kept && !members_[I].error ? std::get<I>(rooms_).drop() : (void)0), ...);
    }(indices);
  }

  join_group group_;
  std::array<group_member, count> members_{};
  std::tuple<result_room<T>...> rooms_;
};

template <group_policy Policy, class T>
class when_range_awaiter {
  static constexpr const char* call = when_call<Policy>;

 public:
  // Not noexcept: may throw std::bad_alloc before any task has started.
  when_range_awaiter(when_range_request<Policy, T>&& request, wait_state& /*waiting*/)
      : group_(Policy), members_(request.tasks.size()), rooms_(request.tasks.size()) {
    if (Policy == group_policy::first_end_decides && request.tasks.empty()) {
      throw std::invalid_argument("tare::when_any: the vector is empty");
    }
    for (std::size_t i = 0; i < members_.size(); ++i) {
      members_[i].child = request.tasks[i].release(call);
      members_[i].result = rooms_[i].place();
    }
  }

  [[nodiscard]] bool await_ready() const noexcept { return members_.size() == 0; }
  template <class Promise>
  void await_suspend(std::coroutine_handle<Promise> self) noexcept {
    group_.start(self.promise(), members_.all());
  }

  auto await_resume() {
    group_member* decisive = group_.decisive();
    if constexpr (Policy == group_policy::first_error_decides) {
      if (decisive != nullptr) {
        drop_all_but(members_.size());
        std::rethrow_exception(decisive->error);
      }
      if constexpr (!std::is_void_v<T>) {
        drop_rest rest(members_.size(), [this](std::size_t index) noexcept { rooms_[index].drop(); });
        std::vector<storable_t<T>> results;
        results.reserve(members_.size());
        for (result_room<T>& room : rooms_.all()) results.push_back(rest.take(room));
        return results;
      }
    } else {
      const auto winner = static_cast<std::size_t>(decisive - members_.all().data());
      drop_all_but(winner);
      if (decisive->error) std::rethrow_exception(decisive->error);
      return std::pair<std::size_t, regular_t<storable_t<T>>>(winner, rooms_[winner].take());
    }
  }

 private:
  void drop_all_but(std::size_t kept) noexcept {
    for (std::size_t i = 0; i < members_.size(); ++i) {
      if (i != kept && !members_[i].error) rooms_[i].drop();
    }
  }

  join_group group_;
  arena_array<group_member> members_;
  arena_array<result_room<T>> rooms_;
};

}  // namespace detail

/// Awaits all tasks and returns a std::tuple of their results, with std::monostate for each task<void> (void if all are
/// task<void>). The first error cancels the rest and is thrown when all have ended. Without tasks it returns
/// immediately.
template <class... T>
auto when_all(task<T>... tasks) noexcept {
  return detail::when_request<detail::group_policy::first_error_decides, T...>{std::tuple(std::move(tasks)...)};
}

/// The same for requests, or requests and tasks: `when_all(m.lock(), sleep_for(1s), query(7))`. Each request needs a
/// frame.
template <class... A>
  requires detail::mixed_awaitables<A...>
auto when_all(A... awaitables) {
  return when_all(detail::as_task(std::move(awaitables))...);
}

/// The same for a number of tasks known only at run time: returns a std::vector of the results (void for task<void>,
/// std::reference_wrapper for references).
template <class T>
auto when_all(std::vector<task<T>> tasks) noexcept {
  return detail::when_range_request<detail::group_policy::first_error_decides, T>{std::move(tasks)};
}

/// Waits for the first task to end, with a result or an error. The others are cancelled and awaited, and their results
/// and errors are dropped. Returns a std::variant whose index is the winner's.
///
/// **Not for channels**: a loser may have received a value before it was cancelled; that value is dropped with its
/// result. The same holds for permits and for bytes read from a stream. To wait for the first of several channels,
/// semaphores or events, use `select`, which takes nothing from the others.
template <class... T>
  requires(sizeof...(T) > 0)
auto when_any(task<T>... tasks) noexcept {
  return detail::when_request<detail::group_policy::first_end_decides, T...>{std::tuple(std::move(tasks)...)};
}

/// The same for requests, or requests and tasks. Of several requests, `select` drops nothing and needs no frames.
template <class... A>
  requires detail::mixed_awaitables<A...>
auto when_any(A... awaitables) {
  return when_any(detail::as_task(std::move(awaitables))...);
}

/// The same for a vector: returns the winner's index and its result. Throws std::invalid_argument if the vector is
/// empty.
template <class T>
auto when_any(std::vector<task<T>> tasks) noexcept {
  return detail::when_range_request<detail::group_policy::first_end_decides, T>{std::move(tasks)};
}

/// Awaits all tasks or requests, whatever happens to the others, and returns a std::tuple that says how each has ended:
/// std::expected<T, std::exception_ptr>.
///
/// **Errors** None of its own; those of the tasks are in the result. **Cancellation** Cancels all of them; the result
/// then says which have ended by that, and the next await throws `cancelled`. **Threads** The current shard. **Bytes**
/// As for `when_all`.
template <class... A>
  requires((detail::is_task<A> || detail::request<A>) && ...)
auto when_all_settled(A... awaitables) {
  return detail::when_request<detail::group_policy::nothing_decides, detail::await_result_t<A>...>{
      std::tuple(detail::as_task(std::move(awaitables))...)};
}

}  // namespace tare
