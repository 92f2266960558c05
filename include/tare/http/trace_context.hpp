#pragma once

// Where a request belongs in a distributed trace (W3C Trace Context): the field "traceparent".
//
//   co_await http::current_trace.with(context, handle(request));
//   co_await client.get(url);                                          // sends "traceparent" by itself
//
// tare::tracer (<tare/tracing.hpp>) does this for the handlers of a server, and exports spans.
//
// **Cancellation** Nothing here waits. **Bytes** A context is 25.

#include <tare/task_local.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tare::http {

struct trace_context {
  std::array<std::uint8_t, 16> trace_id{};
  std::array<std::uint8_t, 8> span_id{};  ///< of the span that is the parent of what is done next
  bool sampled = false;                   ///< whether the trace is recorded

  friend bool operator==(const trace_context&, const trace_context&) = default;

  /// A new trace, with random numbers. **Threads** Any.
  [[nodiscard]] static trace_context make(bool sampled);
  /// A new span in the same trace. **Threads** Any.
  [[nodiscard]] trace_context child() const;
};

/// The value of a "traceparent" field, of this version or a later one. Empty if it is malformed, as the standard
/// requires (https://www.w3.org/TR/trace-context/, section 3.2).
[[nodiscard]] std::optional<trace_context> parse_traceparent(std::string_view value) noexcept;
/// **Errors** Throws std::bad_alloc.
[[nodiscard]] std::string traceparent_of(const trace_context& context);
/// Lowercase digits.
[[nodiscard]] std::string trace_id_text(const trace_context& context);
[[nodiscard]] std::string span_id_text(const trace_context& context);

/// While it is set, http::client sends it with each request that has no such field.
extern constinit const task_local<trace_context> current_trace;

}  // namespace tare::http
