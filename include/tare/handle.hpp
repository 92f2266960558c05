#pragma once

// A handle of a spawned task: its result, its end, and its cancellation.
//
//   tare::handle<int> h = s.spawn_handle(query(7));       // of a scope; tare::spawn_handle for a detached task
//   if (user_left) h.cancel();                            // this task alone
//   int r = co_await h;                                   // or select(h.join(), tare::sleep_for(1s))
//
// Only tasks that are spawned this way pay for it: about 400 bytes in two frames and a shared record. `spawn` costs
// what it costs without this header.

#include <tare/detail/kept_callable.hpp>
#include <tare/detail/queued_wait.hpp>
#include <tare/error.hpp>
#include <tare/runtime.hpp>
#include <tare/scope.hpp>
#include <tare/task.hpp>

#include <atomic>
#include <coroutine>
#include <cstdint>
#include <exception>
#include <expected>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <thread>
#include <type_traits>
#include <utility>

namespace tare {

/// Thrown by awaiting a handle whose task has been cancelled. Unlike `cancelled`, it is an error for the task that
/// awaits, which has not been cancelled itself.
class task_cancelled final : public std::exception {
 public:
  [[nodiscard]] const char* what() const noexcept override { return "the task of the handle was cancelled"; }
};

template <class T>
class handle;

/// Starts a detached task on the current shard, like `spawn`, and returns its handle.
///
/// **Errors** Throws std::bad_alloc. **Cancellation** The task is cancelled through its handle, or when the runtime
/// ends. **Threads** Call it in a task. **Bytes** About 400, and the task's own frame.
template <class T>
[[nodiscard("without a handle, use spawn")]] handle<T> spawn_handle(task<T> spawned);

namespace detail {

/// Shared by the handle, a waiting join, and the task; each holds a reference.
template <class T>
class handle_record {
 public:
  using outcome = std::expected<T, std::exception_ptr>;

  void retain() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
  void drop() noexcept {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }

  // For the task.

  /// False if it has been cancelled and must not begin.
  [[nodiscard]] bool begin(scope& around) noexcept {
    const std::scoped_lock guard(waiters_.lock);
    if (cancelled_) return false;
    around_ = &around;
    return true;
  }
  /// Returns when nothing will use the scope any more.
  void leave_scope() noexcept {
    {
      const std::scoped_lock guard(waiters_.lock);
      around_ = nullptr;
    }
    while (cancelling_.load(std::memory_order_acquire) != 0) std::this_thread::yield();
  }
  /// Returns the error if there is no handle that could deliver it.
  [[nodiscard]] std::exception_ptr finish(outcome&& result) noexcept {
    wake_list woken;
    std::exception_ptr undelivered;
    {
      const std::scoped_lock guard(waiters_.lock);
      store(std::move(result));
      bool somebody_waits = false;  // a join keeps the record when the handle is gone
      while (queued_wait* next = queued_wait::grant_first(waiters_.queue)) {
        somebody_waits = true;
        woken.push(*next);
      }
      if (dropped_ && !somebody_waits && !outcome_->has_value()) undelivered = outcome_->error();
    }
    woken.wake_all();
    return undelivered;
  }

  // For the handle.

  void cancel() noexcept {
    scope* around = nullptr;
    {
      const std::scoped_lock guard(waiters_.lock);
      cancelled_ = true;
      around = around_;
      if (around == nullptr) return;
      cancelling_.fetch_add(1, std::memory_order_relaxed);
    }
    // Without the lock, because the task that is cancelled may be waiting for this very lock.
    around->cancel();
    cancelling_.fetch_sub(1, std::memory_order_release);
  }
  void handle_dropped() noexcept {
    const std::scoped_lock guard(waiters_.lock);
    dropped_ = true;
  }
  [[nodiscard]] bool has_ended() noexcept {
    const std::scoped_lock guard(waiters_.lock);
    return outcome_.has_value();
  }
  [[nodiscard]] T take() {
    std::optional<outcome> taken;
    {
      const std::scoped_lock guard(waiters_.lock);
      if (taken_) throw std::logic_error("tare::handle: its result has already been taken");
      taken_ = true;
      taken.emplace(std::move(*outcome_));
    }
    if (!*taken) {
      if (is_cancellation(taken->error())) throw task_cancelled();
      std::rethrow_exception(taken->error());
    }
    if constexpr (!std::is_void_v<T>) return std::move(**taken);
  }

  // For a join.

  /// What await_suspend returns.
  [[nodiscard]] bool wait(queued_wait& node, wait_state& task) noexcept {
    const std::scoped_lock guard(waiters_.lock);
    return node.wait_unless(outcome_.has_value(), task, waiters_.queue);
  }
  [[nodiscard]] bool withdraw(queued_wait& node) noexcept { return node.withdraw_from(waiters_.lock, waiters_.queue); }
  [[nodiscard]] brief_lock* lock() noexcept { return &waiters_.lock; }
  [[nodiscard]] bool has_outcome() const noexcept { return outcome_.has_value(); }
  void enqueue(queued_wait& node) noexcept { waiters_.queue.push_back(node); }

 private:
  /// A result whose move throws becomes that error.
  void store(outcome&& result) noexcept {
    try {
      outcome_.emplace(std::move(result));
    } catch (...) {
      outcome_.emplace(std::unexpect, std::current_exception());
    }
  }

  waiters waiters_;
  std::atomic<std::uint32_t> references_ = 2;
  std::atomic<std::uint32_t> cancelling_ = 0;  ///< calls of `cancel` that use the scope
  bool cancelled_ = false;
  bool dropped_ = false;
  bool taken_ = false;
  scope* around_ = nullptr;  ///< while the task runs in it
  std::optional<outcome> outcome_;
};

/// The task's reference. If the task is destroyed before it has begun, the handle gets a cancellation.
template <class T>
class handle_end {
 public:
  explicit handle_end(handle_record<T>* record) noexcept : of_(record) {}
  handle_end(handle_end&& other) noexcept : of_(std::exchange(other.of_, nullptr)) {}
  handle_end& operator=(handle_end&&) = delete;
  handle_end(const handle_end&) = delete;
  handle_end& operator=(const handle_end&) = delete;
  ~handle_end() {
    if (of_ == nullptr) return;
    if (!finished_) (void)of_->finish(std::unexpected(std::make_exception_ptr(cancelled())));
    of_->drop();
  }
  void finish(handle_record<T>::outcome&& outcome) {
    finished_ = true;
    const std::exception_ptr undelivered = of_->finish(std::move(outcome));
    if (undelivered) std::rethrow_exception(undelivered);
  }
  [[nodiscard]] handle_record<T>& record() const noexcept { return *of_; }

 private:
  handle_record<T>* of_;
  bool finished_ = false;
};

template <class T>
task<> keep_outcome_of(task<T> body, std::optional<std::expected<T, std::exception_ptr>>& kept) {
  try {
    if constexpr (std::is_void_v<T>) {
      co_await std::move(body);
      kept.emplace();
    } else {
      kept.emplace(co_await std::move(body));
    }
  } catch (...) {
    kept.emplace(std::unexpect, std::current_exception());
  }
}

/// Runs `body` in a scope of its own, which any thread may cancel.
template <class T>
task<> run_for_handle(task<T> body, handle_end<T> end) {
  std::optional<std::expected<T, std::exception_ptr>> kept;
  {
    scope around;
    struct leaving {
      explicit leaving(handle_record<T>& from) noexcept : record(from) {}
      leaving(const leaving&) = delete;
      leaving& operator=(const leaving&) = delete;
      ~leaving() { record.leave_scope(); }
      handle_record<T>& record;
    };
    const bool begins = end.record().begin(around);
    const leaving last(end.record());
    try {
      if (begins) around.spawn(keep_outcome_of<T>(std::move(body), kept));
    } catch (...) {
      kept.emplace(std::unexpect, std::current_exception());  // without memory it does not begin
    }
    try {
      co_await around.join();
    } catch (const cancelled&) {  // NOLINT(bugprone-empty-catch): the task has its own opinion, which is in `kept`
    }
  }
  if (!kept) kept.emplace(std::unexpect, std::make_exception_ptr(cancelled()));
  end.finish(std::move(*kept));
}

}  // namespace detail

/// Move-only. Destroying it leaves the task running; then the task's error goes where it goes without a handle: to its
/// scope, or to the runtime's `unhandled`. While the handle exists, an error goes to the handle alone, and is dropped
/// with the handle if nobody has awaited it.
///
/// **Threads** `cancel` and `has_ended` may be called from any thread, and the task may be awaited on any shard.
template <class T>
class [[nodiscard("without a handle, use spawn")]] handle {
  static_assert(!std::is_reference_v<T>, "the result is kept for the handle: return a pointer or a value");

 public:
  class join_awaiter;
  using tare_awaiter = join_awaiter;
  struct [[nodiscard("nothing happens until it is awaited")]] join_request {
    using tare_awaiter = join_awaiter;
    detail::handle_record<T>* of;
  };

  /// An empty handle.
  handle() noexcept = default;
  handle(handle&& other) noexcept : record_(std::exchange(other.record_, nullptr)) {}
  handle& operator=(handle&& other) noexcept {
    handle moved(std::move(other));
    std::swap(record_, moved.record_);
    return *this;
  }
  handle(const handle&) = delete;
  handle& operator=(const handle&) = delete;
  ~handle() {
    if (record_ == nullptr) return;
    record_->handle_dropped();
    record_->drop();
  }

  /// Waits for the end of the task and returns its result; `co_await h` does the same.
  ///
  /// **Errors** Throws the task's exception, or `task_cancelled`. The result can be taken once; later it throws
  /// std::logic_error, as it does for all but one of several tasks that await it. **Cancellation** Ends the wait only:
  /// the task continues, and can be awaited again. **Threads** Any shard. Begin the await while the handle exists.
  /// **Bytes** 48 in the frame.
  join_request join() const noexcept { return {record_}; }

  /// Cancels the task. Does nothing if it has ended. **Threads** Any.
  void cancel() const noexcept {
    if (record_ != nullptr) record_->cancel();
  }
  /// **Threads** Any.
  [[nodiscard]] bool has_ended() const noexcept { return record_ == nullptr || record_->has_ended(); }
  /// False for an empty handle.
  [[nodiscard]] explicit operator bool() const noexcept { return record_ != nullptr; }

 private:
  friend class scope;
  friend handle spawn_handle<T>(task<T> spawned);

  explicit handle(detail::handle_record<T>* record) noexcept : record_(record) {}

  /// Makes the task to be spawned. If it throws, `body` is destroyed.
  [[nodiscard]] static std::pair<handle, task<>> prepare(task<T> body) {
    auto* const record = new detail::handle_record<T>;
    handle made(record);
    return {std::move(made), detail::run_for_handle<T>(std::move(body), detail::handle_end<T>(record))};
  }

  detail::handle_record<T>* record_ = nullptr;
};

template <class T>
class handle<T>::join_awaiter : public detail::queued_wait {
 public:
  join_awaiter(join_request request, detail::wait_state& /*task*/) : join_awaiter(request.of) {}
  join_awaiter(const handle& waited, detail::wait_state& /*task*/) : join_awaiter(waited.record_) {}
  join_awaiter(const join_awaiter&) = delete;
  join_awaiter& operator=(const join_awaiter&) = delete;
  ~join_awaiter() { of_->drop(); }

  [[nodiscard]] static bool await_ready() noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> self) noexcept {
    detail::wait_node::give_up = [](detail::wait_node& node) noexcept {
      if (static_cast<join_awaiter&>(node).withdraw()) node.wake_here(detail::wait_kind::ready_cancelled);
    };
    return of_->wait(*this, self.promise());
  }
  T await_resume() {
    detail::current_shard->throw_if_cancelled();
    return of_->take();
  }

  // For `select`. The first two require the lock.
  [[nodiscard]] bool try_now(detail::wake_last& /*woken*/) const noexcept { return of_->has_outcome(); }
  [[nodiscard]] bool enqueue() noexcept {
    of_->enqueue(*this);
    return true;
  }
  [[nodiscard]] detail::brief_lock* select_lock() const noexcept { return of_->lock(); }
  /// False if it is not in the queue.
  [[nodiscard]] bool withdraw() noexcept { return of_->withdraw(*this); }

 private:
  explicit join_awaiter(detail::handle_record<T>* record) : of_(record) {
    if (record == nullptr) throw std::logic_error("tare::handle: an empty handle has no task to await");
    record->retain();
  }

  detail::handle_record<T>* of_;
};

template <class T>
handle<T> spawn_handle(task<T> spawned) {
  if (!spawned) detail::empty_task("spawn_handle");
  auto [made, started] = handle<T>::prepare(std::move(spawned));
  spawn(std::move(started));
  return std::move(made);
}

/// The same for a callable without parameters that returns a task: it is kept until the task has ended.
template <detail::makes_task F>
[[nodiscard("without a handle, use spawn")]] auto spawn_handle(F make) {
  return spawn_handle(detail::keep_and_call(std::move(make)));
}

template <class T>
handle<T> scope::spawn_handle(task<T> spawned) {
  if (!spawned) detail::empty_task("scope::spawn_handle");
  auto [made, started] = handle<T>::prepare(std::move(spawned));
  spawn(std::move(started));
  return std::move(made);
}

}  // namespace tare
