#pragma once

// The figures of a runtime as Prometheus metrics. A separate library (link tare::metrics), built on prometheus-cpp,
// whose registry also holds your own counters, gauges and histograms.
//
//   auto registry = std::make_shared<prometheus::Registry>();
//   auto& logins = prometheus::BuildCounter().Name("logins_total").Help("Logins.").Register(*registry);
//   logins.Add({{"method", "password"}}).Increment();
//
//   tare::shard_watch watch(rt);
//   tare::runtime_collector figures(rt, &watch);
//   routes.get("/metrics", [&](http::request&, http::response& r) -> tare::task<> {
//     const std::string text = tare::metrics_text({registry.get(), &figures});
//     (void)co_await r.send(tare::metrics_content_type, text);
//   });
//
// | metric | type | what |
// | --- | --- | --- |
// | tare_detached_tasks | gauge | detached tasks that have not ended |
// | tare_frame_bytes | gauge | memory for frames, buffers and descriptors |
// | process_resident_memory_bytes | gauge | resident memory of the process |
// | tare_memory_limit_bytes, tare_memory_promised_bytes | gauge | the memory budget, and what it has promised |
// | tare_memory_used_ratio | gauge | resident memory as a fraction of the budget |
// | tare_admissions_refused_total | counter | requests for memory that the budget has refused |
//
// With a watch, for each shard:
//
// | metric | type | what |
// | --- | --- | --- |
// | tare_shard_busy_seconds_total | counter | time not asleep; its rate is how busy the shard is, from 0 to 1 |
// | tare_shard_slice_seconds | histogram | how long tasks run between two awaits |
// | tare_shard_longest_slice_seconds | gauge | the longest since the watch began |
// | tare_shard_timer_delay_seconds | histogram | how late expired timers are looked at |
// | tare_shard_queued_tasks | gauge | tasks that could run |
// | tare_shard_tasks | gauge | tasks of the shard |

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace tare {

class runtime;
class shard_watch;

/// What it refers to must outlive it. **Cancellation** It does not wait. **Threads** Any. **Bytes** About 1 KiB per
/// shard while it collects.
class runtime_collector final : public prometheus::Collectable {
 public:
  explicit runtime_collector(runtime& rt, const shard_watch* watch = nullptr) noexcept : runtime_(rt), watch_(watch) {}

  /// **Errors** Throws std::bad_alloc.
  [[nodiscard]] std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  runtime& runtime_;
  const shard_watch* watch_;
};

/// The Content-Type of the text below.
inline constexpr std::string_view metrics_content_type = "text/plain; version=0.0.4; charset=utf-8";

/// What all of them collect, in Prometheus' text format.
///
/// **Errors** Throws std::bad_alloc. **Cancellation** Does not wait. **Threads** Any. **Bytes** About 400 per value
/// while it works, and the text.
[[nodiscard]] std::string metrics_text(std::initializer_list<const prometheus::Collectable*> from);

}  // namespace tare
