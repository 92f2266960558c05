#pragma once

// A fixed number of tasks that one task waits for; shared by when_all, when_any and timeout.
//
// The members must be in the arena (in the awaiting frame or in a record), because the tasks' wait states link to them.

#include <tare/detail/branch.hpp>
#include <tare/detail/frame_memory.hpp>
#include <tare/detail/wait_node.hpp>
#include <tare/task.hpp>

#include <concepts>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>
#include <variant>

namespace tare::detail {

class join_group;

struct group_member : branch {
  join_group* group = nullptr;
  std::exception_ptr error;
};

enum class group_policy : std::uint8_t {
  first_error_decides,  ///< the others are cancelled then
  first_end_decides,
  nothing_decides,
  time_decides,  ///< nothing, in a timed_group
};

class join_group : public waiting_parent {
 public:
  explicit join_group(group_policy policy) noexcept;

  /// Queues all members' tasks and suspends `waiting` until they have ended.
  void start(wait_state& waiting, std::span<group_member> members) noexcept;

  /// The member that decided the outcome; nullptr if none has.
  [[nodiscard]] group_member* decisive() const noexcept { return decisive_; }

  /// The group that `waiting` is a member of; nullptr if it is a branch of something else.
  [[nodiscard]] static const join_group* of(const branch& waiting) noexcept {
    return waiting.ended == &join_group::member_ended ? static_cast<const group_member&>(waiting).group : nullptr;
  }
  [[nodiscard]] group_policy policy() const noexcept { return policy_; }

 private:
  static void member_ended(branch& self, std::exception_ptr error) noexcept;

  std::span<group_member> members_;
  std::size_t running_ = 0;
  group_member* decisive_ = nullptr;
  group_policy policy_;
};

/// A group with a time limit.
class timed_group : public join_group {
 public:
  timed_group() noexcept : join_group(group_policy::time_decides) {}
  std::int64_t deadline = 0;  ///< of the shard's clock
};

/// Storage for the result of a task, constructed by the task.
template <class T>
class result_room {
  using stored = std::conditional_t<std::is_reference_v<T>, std::add_pointer_t<T>, T>;

 public:
  result_room() noexcept {}  // NOLINT(modernize-use-equals-default): of a union
  result_room(const result_room&) = delete;
  result_room& operator=(const result_room&) = delete;
  ~result_room() {}  // NOLINT(modernize-use-equals-default): which member lives is known outside

  [[nodiscard]] void* place() noexcept { return static_cast<void*>(std::addressof(value_)); }
  [[nodiscard]] T take() {
    if constexpr (std::is_reference_v<T>) {
      return static_cast<T>(*value_);
    } else {
      return take_from(value_);
    }
  }
  void drop() noexcept { std::destroy_at(std::addressof(value_)); }

 private:
  union {
    stored value_;  // NOLINT(readability-identifier-naming): private like any other
  };
};

template <>
class result_room<void> {
 public:
  [[nodiscard]] static void* place() noexcept { return nullptr; }
  [[nodiscard]] static std::monostate take() noexcept { return {}; }
  static void drop() noexcept {}
};

/// Awaits one task as the only member of a group, and passes on its result or error: for what adds something to an
/// await, such as a call when it is cancelled.
template <class T, class Group>
class single_member_awaiter {
 public:
  [[nodiscard]] static bool await_ready() noexcept { return false; }
  template <class Promise>
  void await_suspend(std::coroutine_handle<Promise> self) noexcept {
    group_.start(self.promise(), {&member_, 1});
  }
  T await_resume() {
    if (member_.error) std::rethrow_exception(member_.error);
    if constexpr (!std::is_void_v<T>) return room_.take();
  }

 protected:
  /// `call` is what an empty task is reported with.
  template <class... Args>
  single_member_awaiter(task<T>& body, const char* call, Args&&... for_group)
      : group_(std::forward<Args>(for_group)...) {
    member_.child = body.release(call);
    member_.result = room_.place();
  }

 private:
  Group group_;
  group_member member_;
  [[no_unique_address]] result_room<T> room_;
};

/// The type that represents a result of type T in tuples and variants.
template <class T>
using regular_t = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

/// What stands for a T in a variant or an expected, which cannot hold references.
template <class T>
using storable_t =
    std::conditional_t<std::is_lvalue_reference_v<T>, std::reference_wrapper<std::remove_reference_t<T>>, T>;

template <class A>
inline constexpr bool is_shielded = false;
template <class T>
inline constexpr bool is_shielded<shielded<T>> = true;

/// A request of the library, as opposed to a task.
template <class A>
concept request = leaf_awaitable<A> || is_shielded<A> || std::same_as<A, sleep_request> ||
                  std::same_as<A, yield_request> || std::same_as<A, checkpoint_request>;

/// The result type of awaiting an A.
template <class A>
struct await_result {
  using type = decltype(std::declval<typename A::tare_awaiter&>().await_resume());
};
template <class T>
struct await_result<task<T>> : task_value<task<T>> {};
template <class T>
struct await_result<shielded<T>> {
  using type = T;
};
template <>
struct await_result<sleep_request> {
  using type = void;
};
template <>
struct await_result<yield_request> {
  using type = void;
};
template <>
struct await_result<checkpoint_request> {
  using type = void;
};
template <class A>
using await_result_t = typename await_result<A>::type;

template <class A>
task<await_result_t<A>> as_task(A awaitable) {
  co_return co_await std::move(awaitable);
}
template <class T>
task<T> as_task(task<T> already) noexcept {
  return already;
}

/// An array in the arena. Throws std::bad_alloc.
template <class T>
class arena_array {
 public:
  explicit arena_array(std::size_t size)
      : data_(size == 0 ? nullptr : static_cast<T*>(allocate_record(size * sizeof(T)))), size_(size) {
    static_assert(alignof(T) <= 64);
    std::uninitialized_value_construct_n(data_, size_);
  }
  arena_array(const arena_array&) = delete;
  arena_array& operator=(const arena_array&) = delete;
  ~arena_array() {
    std::destroy_n(data_, size_);
    if (data_ != nullptr) free_record(static_cast<void*>(data_));
  }

  [[nodiscard]] std::span<T> all() noexcept { return {data_, size_}; }
  [[nodiscard]] T& operator[](std::size_t index) noexcept { return data_[index]; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

 private:
  T* data_;
  std::size_t size_;
};

}  // namespace tare::detail
