#pragma once

// Traces in the OpenTelemetry format, sent to a collector by HTTP. A separate library (link tare::tracing), built on
// tare::http and nlohmann's JSON.
//
//   tare::tracer tracing({.service_name = "shop"});
//   auto serve = [&](tare::scope& in) -> tare::task<> {
//     in.spawn(tracing.run());                                         // sends what has been recorded
//     co_await http::serve_until_stopped(tracing.traced(routes), {});
//     tracing.close();                                                 // `run` sends the rest and ends
//   };
//
//   tare::task<> deep_inside() {                                       // any task of such a request
//     auto row = co_await tracing.span("load the row", load(id));
//   }
//
// A server's span has the request's method, path and outcome. It continues the trace of the client if the request has a
// "traceparent", and http::client passes the trace on.
//
// Recording never waits: spans go into a queue of a fixed size, and what does not fit is dropped and counted.
//
// **Bytes** About 400 per recorded span until it is sent. A request that is not sampled costs its context: an
// allocation of 64, and about 130 in the frame.

#include <tare/channel.hpp>
#include <tare/channel_halves.hpp>
#include <tare/http/handler.hpp>
#include <tare/http/trace_context.hpp>
#include <tare/task.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace tare {

struct tracer_options {
  std::string service_name = {};                                     ///< must be set
  std::string url = "http://127.0.0.1:4318/v1/traces";               ///< of the collector (OTLP/HTTP with JSON)
  double sampled = 1;                                                ///< the part of new traces that is recorded
  std::size_t max_queued = 2048;                                     ///< spans that wait to be sent; more are dropped
  std::size_t max_batch = 512;                                       ///< spans in one request
  std::chrono::nanoseconds interval = std::chrono::seconds(5);       ///< how long a span waits for others
  std::chrono::nanoseconds send_timeout = std::chrono::seconds(10);  ///< for one request
  std::chrono::nanoseconds retry_for = std::chrono::minutes(1);      ///< then its spans are dropped
};

namespace detail {

struct recorded_span {
  http::trace_context context;
  std::optional<http::trace_context> parent;
  std::string name;
  bool is_server = false;
  std::chrono::system_clock::time_point began;
  std::chrono::system_clock::time_point ended;
  std::vector<std::pair<std::string, std::string>> attributes = {};
  std::string error = {};  ///< empty: none
};

}  // namespace detail

/// **Threads** `traced`, `span` and `close` from any shard; it must outlive them, and the tasks they return.
class tracer {
 public:
  /// Throws std::invalid_argument if `service_name` is empty or an option is out of range.
  explicit tracer(tracer_options options);
  tracer(const tracer&) = delete;
  tracer& operator=(const tracer&) = delete;
  ~tracer() = default;

  /// Sends what is recorded, until `close`; then sends the rest and ends. Call it once. A collector that responds with
  /// 429, 502, 503 or 504, or cannot be reached, is tried again for `retry_for`, but not after `close`.
  ///
  /// **Cancellation** Ends at once; what has not been sent is dropped.
  task<> run();
  /// From now on everything is dropped, except what is in the queue.
  void close() noexcept;

  /// A handler that records a span for each request. It keeps `inner`.
  [[nodiscard]] http::handler traced(http::handler inner);

  /// Awaits `body` as a span of its own in the current trace; without a current trace, or in one that is not sampled,
  /// just awaits it.
  ///
  /// **Errors** What `body` throws, which is recorded. Throws std::bad_alloc. **Cancellation** As awaiting `body`; the
  /// span is recorded with the error "cancelled".
  template <class T>
  task<T> span(std::string name, task<T> body);

  /// Spans that were sent, and that were dropped.
  [[nodiscard]] std::uint64_t sent() const noexcept { return sent_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t dropped() const noexcept { return dropped_.load(std::memory_order_relaxed); }

 private:
  using span_record = detail::recorded_span;

  [[nodiscard]] static span_record begin(const http::trace_context& parent, std::string name);
  void end(span_record ended, const std::exception_ptr& error) noexcept;
  task<> serve(const http::handler& inner, http::request& request, http::response& response);
  task<std::vector<span_record>> next_batch();
  task<> send(std::vector<span_record> batch);
  void drop(std::size_t spans) noexcept { dropped_.fetch_add(spans, std::memory_order_relaxed); }

  tracer_options options_;
  channel<span_record> queue_;
  std::atomic<bool> closing_ = false;
  std::atomic<std::uint64_t> sent_ = 0;
  std::atomic<std::uint64_t> dropped_ = 0;
};

template <class T>
task<T> tracer::span(std::string name, task<T> body) {
  const http::trace_context* const parent = co_await http::current_trace.get();
  if (parent == nullptr || !parent->sampled) co_return co_await std::move(body);
  span_record record = begin(*parent, std::move(name));
  std::exception_ptr error;
  try {
    if constexpr (std::is_void_v<T>) {
      co_await http::current_trace.with(record.context, std::move(body));
      end(std::move(record), nullptr);
      co_return;
    } else {
      T value = co_await http::current_trace.with(record.context, std::move(body));
      end(std::move(record), nullptr);
      co_return value;
    }
  } catch (...) {
    error = std::current_exception();
  }
  end(std::move(record), error);
  std::rethrow_exception(error);
}

}  // namespace tare
