#pragma once

// The values of tasks (task_local.hpp). Each `with` has a node with a counter; the node refers to that of the next
// `with` around it. A task finds the innermost node by walking up to the next group of a `with`.

#include <tare/detail/join_group.hpp>
#include <tare/detail/wait_node.hpp>
#include <tare/task.hpp>

#include <atomic>
#include <coroutine>
#include <cstdint>
#include <exception>
#include <memory>
#include <type_traits>
#include <utility>

namespace tare {
class task_values;
}

namespace tare::detail {

struct value_node;

/// A counted reference.
class value_ref {
 public:
  value_ref() noexcept = default;
  /// Takes over a reference.
  explicit value_ref(value_node* taken) noexcept : node_(taken) {}
  value_ref(const value_ref& other) noexcept;
  value_ref(value_ref&& other) noexcept : node_(std::exchange(other.node_, nullptr)) {}
  value_ref& operator=(const value_ref& other) noexcept {
    value_ref copied(other);
    std::swap(node_, copied.node_);
    return *this;
  }
  value_ref& operator=(value_ref&& other) noexcept {
    std::swap(node_, other.node_);
    return *this;
  }
  ~value_ref();

  /// Another reference to a node that something else keeps.
  [[nodiscard]] static value_ref share(value_node* node) noexcept;
  [[nodiscard]] value_node* get() const noexcept { return node_; }
  [[nodiscard]] value_node* release() noexcept { return std::exchange(node_, nullptr); }

 private:
  value_node* node_ = nullptr;
};

struct value_node {
  value_node(const void* of, void (*destroyed_by)(value_node*) noexcept) noexcept : key(of), destroy(destroyed_by) {}

  std::atomic<std::uint32_t> references = 1;
  const void* key;
  value_ref outer;
  void (*destroy)(value_node*) noexcept;
  const void* value = nullptr;
};

inline value_ref::value_ref(const value_ref& other) noexcept : value_ref(share(other.node_)) {}

inline value_ref value_ref::share(value_node* node) noexcept {
  if (node != nullptr) node->references.fetch_add(1, std::memory_order_relaxed);
  return value_ref(node);
}

template <class T>
struct value_holder : value_node {
  value_holder(const void* of, T&& taken)
      : value_node(of, [](value_node* self) noexcept { delete static_cast<value_holder*>(self); }),
        held(std::move(taken)) {
    value = std::addressof(held);
  }
  T held;
};

template <class T>
[[nodiscard]] value_ref make_value(const void* key, T value) {
  return value_ref(new value_holder<T>(key, std::move(value)));
}

/// The value of the innermost node with that key; nullptr if there is none.
[[nodiscard]] const void* find_value(const value_node* innermost, const void* key) noexcept;
/// The innermost node that `task` sees, which its `with` keeps; nullptr if there is none.
[[nodiscard]] value_node* values_around(const wait_state& task) noexcept;

/// A group with one member, which sees the values.
class value_group : public join_group {
 public:
  explicit value_group(value_ref seen) noexcept;
  value_ref values;

  /// The group, if it is one of these.
  [[nodiscard]] static const value_group* of(const join_group& any) noexcept;
};

template <class R>
class with_values_awaiter;

template <class R>
struct [[nodiscard("nothing happens until it is awaited")]] with_values_request {
  using tare_awaiter = with_values_awaiter<R>;
  value_ref values;
  bool extends;  ///< those around the task; otherwise it replaces them
  task<R> body;
};

template <class R>
class with_values_awaiter : public single_member_awaiter<R, value_group> {
 public:
  with_values_awaiter(with_values_request<R>&& request, const wait_state& waiting) noexcept
      : single_member_awaiter<R, value_group>(request.body, "task_local::with", seen_by(request, waiting)) {}

 private:
  static value_ref seen_by(with_values_request<R>& request, const wait_state& waiting) noexcept {
    if (request.extends) request.values.get()->outer = value_ref::share(values_around(waiting));
    return std::move(request.values);
  }
};

template <class R>
task<R> keep_values(value_ref values, task<R> body) {
  with_values_request<R> request{.values = std::move(values), .extends = false, .body = std::move(body)};
  co_return co_await std::move(request);
}

template <class T>
class value_query_awaiter;

template <class T>
struct [[nodiscard("nothing happens until it is awaited")]] value_query {
  using tare_awaiter = value_query_awaiter<T>;
  const void* key;
};

template <class T>
class value_query_awaiter {
 public:
  value_query_awaiter(value_query<T> request, const wait_state& task) noexcept
      : found_(static_cast<const T*>(find_value(values_around(task), request.key))) {}

  [[nodiscard]] static bool await_ready() noexcept { return true; }
  static void await_suspend(std::coroutine_handle<> /*self*/) noexcept {}
  [[nodiscard]] const T* await_resume() const noexcept { return found_; }

 private:
  const T* found_;
};

class values_query_awaiter;

struct [[nodiscard("nothing happens until it is awaited")]] values_query {
  using tare_awaiter = values_query_awaiter;
};

class values_query_awaiter {
 public:
  values_query_awaiter(values_query /*request*/, const wait_state& task) noexcept
      : found_(value_ref::share(values_around(task))) {}

  [[nodiscard]] static bool await_ready() noexcept { return true; }
  static void await_suspend(std::coroutine_handle<> /*self*/) noexcept {}
  [[nodiscard]] task_values await_resume() noexcept;

 private:
  value_ref found_;
};

}  // namespace tare::detail
