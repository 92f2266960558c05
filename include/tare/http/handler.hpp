#pragma once

// What handles requests: any callable that takes a request and a response, and returns a task.

#include <tare/http/request.hpp>
#include <tare/http/response.hpp>
#include <tare/task.hpp>

#include <concepts>
#include <functional>
#include <type_traits>
#include <utility>

namespace tare::http {

/// What can handle requests: called with a request and a response, it returns a task.
template <class F>
concept answers_requests = std::is_invocable_r_v<task<>, F&, request&, response&>;

/// Called once per request, possibly for several requests concurrently. It must outlive its tasks, because its captures
/// are not in their frames: the server keeps it as long as it serves. An exception becomes a 500
/// (server_options::on_error).
///
/// **Cancellation** The task is cancelled if the client disconnects, the request takes too long, or the server stops
/// and `drain_timeout` has passed.
/// **Errors** Throws std::bad_alloc. A callable with another signature does not compile, and the message says what to
/// write.
/// **Threads** A copy on each shard that serves. **Bytes** 32, and the captures beyond 16.
class handler : public std::function<task<>(request&, response&)> {
 public:
  handler() noexcept = default;
  template <class F>
    requires(!std::same_as<std::remove_cvref_t<F>, handler>)
  // NOLINTNEXTLINE(google-explicit-constructor): any callable can be passed as a handler
  handler(F&& handle) : function(checked(std::forward<F>(handle))) {}

 private:
  template <class F>
  [[nodiscard]] static function checked(F&& handle) {
    constexpr bool is_callable = answers_requests<std::decay_t<F>>;
    constexpr bool is_copyable = std::copy_constructible<std::decay_t<F>>;
    static_assert(is_callable,
                  "tare: this cannot handle requests. Write a function or lambda like "
                  "[](tare::http::request& request, tare::http::response& response) -> tare::task<> { ... }");
    static_assert(!is_callable || is_copyable,
                  "tare: a handler must be copyable, so capture a std::shared_ptr to what can only be moved");
    if constexpr (is_callable && is_copyable) {
      return function(std::forward<F>(handle));
    } else {
      return {};
    }
  }
};

}  // namespace tare::http
