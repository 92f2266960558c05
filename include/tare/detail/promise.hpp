#pragma once

// The promise of every task: its wait state, and the rules of starting, awaiting and ending.
//
// Awaiters that need no memory are empty bases of the promise, and `await_transform` returns references to them: a
// separate awaiter object would cost the frame at least one byte, rounded up to 8. They access the promise through the
// handle passed to await_suspend, not through `this`, because g++ 12 copies them.

#include <tare/detail/branch.hpp>
#include <tare/detail/frame_layout.hpp>
#include <tare/detail/frame_memory.hpp>
#include <tare/detail/shard_state.hpp>
#include <tare/detail/wait_state.hpp>

#include <concepts>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace tare {

template <class T = void>
class task;

namespace detail {

class promise_base;

struct [[nodiscard("nothing happens until it is awaited")]] sleep_request {
  std::int64_t nanoseconds;  ///< from now, or since the clock's epoch
  bool absolute;
};
struct [[nodiscard("nothing happens until it is awaited")]] yield_request {};
struct [[nodiscard("nothing happens until it is awaited")]] checkpoint_request {};

/// A child that out-of-line code has made: a task returned by such a function would be a variable of the frame, while
/// this is passed in a register. Owns nothing, so await it at once.
struct [[nodiscard("nothing happens until it is awaited")]] child_request {
  link child;
  bool is_shielded;  ///< cancellation does not reach it
};

template <class T>
struct [[nodiscard("nothing happens until it is awaited")]] shielded {
  task<T> inner;
};

/// A request whose `tare_awaiter` is the awaiter: used for all other awaits of the library.
template <class A>
concept leaf_awaitable = requires { typename std::remove_cvref_t<A>::tare_awaiter; };

template <class>
inline constexpr bool can_be_awaited = false;
/// Of an await that is an error: its result fits everywhere, so that the compiler reports nothing else.
struct refused_awaiter : std::suspend_never {
  struct result {
    template <class T>
    operator T() const;  // NOLINT(google-explicit-constructor): it must fit everywhere
  };
  [[nodiscard]] static result await_resume() noexcept { return {}; }
};

// Out of line (src/sched/current.cpp).
[[nodiscard]] bool sleep_begin(wait_state& task) noexcept;
[[nodiscard]] std::coroutine_handle<> end_root(wait_state& task) noexcept;
/// Aborts the program: `call` was given a task that has already been moved from, awaited or spawned.
[[noreturn]] void empty_task(const char* call) noexcept;
/// Destroys the frame of a task that was never started. Its parameters may be such tasks, to any depth.
void destroy_unstarted(link frame) noexcept;

/// Moves a result out and destroys the original, even if the move throws.
template <class T>
[[nodiscard]] T take_from(T& place) {
  struct emptier {
    explicit emptier(T& filled) noexcept : of(filled) {}
    emptier(const emptier&) = delete;
    emptier& operator=(const emptier&) = delete;
    ~emptier() { std::destroy_at(std::addressof(of)); }
    T& of;
  };
  const emptier last(place);
  return std::move(place);
}

struct initial_awaiter {
  [[nodiscard]] static bool await_ready() noexcept { return false; }
  static void await_suspend(std::coroutine_handle<> /*self*/) noexcept {}
  static void await_resume() noexcept {}
};

struct final_awaiter {
  [[nodiscard]] static bool await_ready() noexcept { return false; }
  template <class Promise>
  static std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> self) noexcept {
    wait_state& ended = self.promise();
    if (ended.parent == no_link || ended.kind_of_parent() != parent_kind::frame) return end_root(ended);
    wait_state& parent = *from_link<wait_state>(ended.parent);
    self.destroy();
#if !defined(__clang__)
    // g++ 12 does not turn every symmetric transfer into a tail call, so the parents of a deep chain would accumulate
    // on the stack.
    if (--current_shard->budget < 0 && !current_shard->in_flight) {
      current_shard->make_ready(parent, wait_kind::ready);
      return std::noop_coroutine();
    }
#endif
    parent.set_kind(wait_kind::none);
    return handle_of(parent);
  }
  static void await_resume() noexcept {}
};

/// Starts the child in `parent.prev`.
inline std::coroutine_handle<> start_child(wait_state& parent) noexcept {
  wait_state& child = *from_link<wait_state>(parent.prev);
  child.parent = to_link(&parent);  // and of the kind `frame`, as it was made
  if (parent.cancelled && parent.kind() == wait_kind::child) [[unlikely]]
    child.cancelled = 1;
  if (--current_shard->budget < 0) [[unlikely]] {
    current_shard->make_ready(child, wait_kind::ready);
    return std::noop_coroutine();
  }
  return handle_of(child);
}

/// Awaits a child without a result.
struct void_child_awaiter {
  [[nodiscard]] static bool await_ready() noexcept { return false; }
  template <class Promise>
  static std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> parent) noexcept {
    return start_child(parent.promise());
  }
  static void await_resume() { current_shard->rethrow_in_flight(); }
};

/// Awaits a child with a result. The result is constructed here, in the awaiting frame.
template <class T>
class child_awaiter {
  using stored = std::conditional_t<std::is_reference_v<T>, std::add_pointer_t<T>, T>;

 public:
  explicit child_awaiter(link child) noexcept : storage_(child) {}
  child_awaiter(const child_awaiter&) = delete;
  child_awaiter& operator=(const child_awaiter&) = delete;
  ~child_awaiter() = default;

  [[nodiscard]] static bool await_ready() noexcept { return false; }
  template <class Promise>
  std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> parent) noexcept {
    wait_state& state = parent.promise();
    state.prev = storage_.child;
    // The callee finds the result by its offset from the promise, stored in 4 bytes that are unused during the await.
    state.next = static_cast<link>(reinterpret_cast<std::byte*>(std::addressof(storage_.result)) -
                                   reinterpret_cast<std::byte*>(&state));
    return start_child(state);
  }
  T await_resume() {
    current_shard->rethrow_in_flight();
    if constexpr (std::is_reference_v<T>) {
      return static_cast<T>(*storage_.result);
    } else {
      return take_from(storage_.result);
    }
  }

 private:
  union storage {
    explicit storage(link started) noexcept : child(started) {}
    storage(const storage&) = delete;
    storage& operator=(const storage&) = delete;
    ~storage() {}  // NOLINT(modernize-use-equals-default): which member lives is known outside

    link child;
    stored result;
  } storage_;
};

struct sleep_awaiter {
  [[nodiscard]] static bool await_ready() noexcept { return false; }
  template <class Promise>
  static bool await_suspend(std::coroutine_handle<Promise> self) noexcept {
    return sleep_begin(self.promise());
  }
  static void await_resume() { current_shard->throw_if_cancelled(); }
};

struct yield_awaiter {
  [[nodiscard]] static bool await_ready() noexcept { return false; }
  template <class Promise>
  static void await_suspend(std::coroutine_handle<Promise> self) noexcept {
    wait_state& state = self.promise();
    current_shard->make_ready(state, state.cancelled ? wait_kind::ready_cancelled : wait_kind::ready);
  }
  static void await_resume() { current_shard->throw_if_cancelled(); }
};

struct checkpoint_awaiter {
  [[nodiscard]] static bool await_ready() noexcept { return false; }
  template <class Promise>
  static bool await_suspend(std::coroutine_handle<Promise> self) noexcept {
    wait_state& state = self.promise();
    if (state.cancelled) [[unlikely]]
      return current_shard->refuse(state);
    return current_shard->end_at_once(state);
  }
  static void await_resume() { current_shard->throw_if_cancelled(); }
};

class promise_base : public wait_state,
                     private initial_awaiter,
                     private final_awaiter,
                     private void_child_awaiter,
                     private sleep_awaiter,
                     private yield_awaiter,
                     private checkpoint_awaiter {
 public:
  // With -fcoro-aligned-allocation, clang passes the alignment that the frame needs. Without it, and with g++, the
  // compiler relies on 16.
  static void* operator new(std::size_t bytes, std::align_val_t alignment) {
    return new_frame(bytes, static_cast<std::size_t>(alignment));
  }
  static void* operator new(std::size_t bytes) {
    void* const frame = new_frame(bytes, 16);
#if !defined(__clang__)
    newest_frame = static_cast<std::byte*>(frame);
#endif
    return frame;
  }
  static void operator delete(void* frame, std::size_t bytes, std::align_val_t alignment) noexcept {
    delete_frame(frame, bytes, static_cast<std::size_t>(alignment));
  }
  static void operator delete(void* frame, std::size_t bytes) noexcept { delete_frame(frame, bytes, 16); }

  initial_awaiter& initial_suspend() noexcept { return *this; }
  final_awaiter& final_suspend() noexcept { return *this; }
  static void unhandled_exception() noexcept { current_shard->in_flight = std::current_exception(); }

  void_child_awaiter& await_transform(task<void>&& child) noexcept;
  template <class T>
  child_awaiter<T> await_transform(task<T>&& child) noexcept;
  void_child_awaiter& await_transform(child_request request) noexcept {
    current_shard->check_await();
    prev = request.child;
    set_kind(request.is_shielded ? wait_kind::shielded_child : wait_kind::child);
    return *this;
  }

  template <class T>
  decltype(auto) await_transform(shielded<T>&& child) noexcept {
    current_shard->check_await();
    // The awaiter sets nothing but `prev`, so the kind survives until the child is started.
    if constexpr (std::is_void_v<T>) {
      void_child_awaiter& awaiter = await_transform(std::move(child.inner));
      set_kind(wait_kind::shielded_child);
      return awaiter;
    } else {
      set_kind(wait_kind::shielded_child);
      return child_awaiter<T>(child.inner.release("shield"));
    }
  }

  sleep_awaiter& await_transform(sleep_request request) noexcept {
    current_shard->check_await();
    // In the wait state, `next`, `prev` and `parent_is` together are the only 9 free bytes; the two links are 8 of
    // them.
    const auto bits = static_cast<std::uint64_t>(request.nanoseconds);
    next = static_cast<link>(bits);
    prev = static_cast<link>(bits >> 32U);
    set_kind(request.absolute ? wait_kind::ready : wait_kind::none);
    return *this;
  }

  yield_awaiter& await_transform(yield_request /*request*/) noexcept {
    current_shard->check_await();
    return *this;
  }

  checkpoint_awaiter& await_transform(checkpoint_request /*request*/) noexcept {
    current_shard->check_await();
    return *this;
  }

  template <leaf_awaitable A>
  auto await_transform(A&& awaitable) {
    current_shard->check_await();
    return typename std::remove_cvref_t<A>::tare_awaiter(std::forward<A>(awaitable), *this);
  }

  // Everything else cannot be awaited: these say what to write instead.
  template <class T>
  decltype(auto) await_transform(task<T>& child) noexcept {
    static_assert(can_be_awaited<T&>,
                  "tare: a task can be awaited only once, so pass it on: co_await std::move(the_task)");
    return await_transform(std::move(child));
  }
  template <class A>
    requires(!leaf_awaitable<A>)
  static refused_awaiter await_transform(A&& /*awaitable*/) {
    static_assert(can_be_awaited<A>,
                  "tare: a task cannot await this. For an awaitable of another library, write "
                  "co_await tare::adapt(it), with <tare/adapt.hpp>; for a callback, co_await tare::suspend(...); for a "
                  "call that blocks, co_await tare::offload(...)");
    return {};
  }

 protected:
  promise_base() = default;

  /// The frame's address, obtained in a way that prevents the compiler from merging the frame into its caller's,
  /// because links to the frame must stay valid.
  [[nodiscard]] link escaped() noexcept {
    wait_state* self = this;
#if !defined(__clang__)
    if (reinterpret_cast<std::byte*>(self) != newest_frame + promise_offset) [[unlikely]]
      misplaced_promise();
#endif
    asm volatile("" : "+r"(self));
    return to_link(self);
  }

  [[nodiscard]] void* result_place() const noexcept {
    switch (kind_of_parent()) {
      case parent_kind::frame:
        if (parent == no_link) return nullptr;
        return from_link<std::byte>(parent) + from_link<wait_state>(parent)->next;
      case parent_kind::branch:
        return from_link<branch>(parent)->result;
      default:
        return nullptr;
    }
  }
};
static_assert(sizeof(promise_base) == 15, "the frame of the empty sleeper would not fit into 32 bytes");

}  // namespace detail
}  // namespace tare
