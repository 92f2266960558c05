#include <tare/memory_budget.hpp>
#include <tare/metrics.hpp>
#include <tare/runtime.hpp>
#include <tare/shard_watch.hpp>

#include <prometheus/client_metric.h>
#include <prometheus/metric_type.h>
#include <prometheus/text_serializer.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <utility>

namespace tare {

namespace {

double seconds(std::chrono::nanoseconds time) { return std::chrono::duration<double>(time).count(); }

prometheus::ClientMetric number(prometheus::MetricType type, double value) {
  prometheus::ClientMetric metric;
  if (type == prometheus::MetricType::Counter) {
    metric.counter.value = value;
  } else {
    metric.gauge.value = value;
  }
  return metric;
}

prometheus::ClientMetric histogram(const duration_counts& counts) {
  prometheus::ClientMetric metric;
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < counts.buckets.size(); ++i) {
    below += counts.buckets.at(i);
    const bool is_last = i == duration_counts::bounds.size();
    const double bound = is_last ? std::numeric_limits<double>::infinity() : seconds(duration_counts::bounds.at(i));
    metric.histogram.bucket.push_back({.cumulative_count = below, .upper_bound = bound});
  }
  metric.histogram.sample_count = below;
  metric.histogram.sample_sum = seconds(counts.sum);
  return metric;
}

prometheus::MetricFamily family(prometheus::MetricType type, std::string name, std::string help) {
  prometheus::MetricFamily made;
  made.name = std::move(name);
  made.help = std::move(help);
  made.type = type;
  return made;
}

void add_runtime(std::vector<prometheus::MetricFamily>& all, runtime& rt) {
  const auto add = [&all](prometheus::MetricType type, std::string name, std::string help, double value) {
    all.push_back(family(type, std::move(name), std::move(help)));
    all.back().metric.push_back(number(type, value));
  };
  memory_budget& memory = rt.memory();
  const auto held = static_cast<double>(memory.held());
  const auto limit = static_cast<double>(memory.limit());
  add(prometheus::MetricType::Gauge, "tare_detached_tasks", "Detached tasks that have not ended.",
      static_cast<double>(rt.detached_tasks()));
  add(prometheus::MetricType::Gauge, "tare_frame_bytes", "Memory for frames, buffers and descriptors.",
      static_cast<double>(rt.frame_bytes()));
  add(prometheus::MetricType::Gauge, "process_resident_memory_bytes", "Resident memory of the process.", held);
  add(prometheus::MetricType::Gauge, "tare_memory_limit_bytes", "The memory budget.", limit);
  add(prometheus::MetricType::Gauge, "tare_memory_promised_bytes", "Memory that the budget has promised.",
      static_cast<double>(memory.promised()));
  add(prometheus::MetricType::Gauge, "tare_memory_used_ratio", "Resident memory as a fraction of the budget.",
      held / limit);
  add(prometheus::MetricType::Counter, "tare_admissions_refused_total",
      "Requests for memory that the budget has refused.", static_cast<double>(memory.refusals()));
}

void add_shards(std::vector<prometheus::MetricFamily>& all, const std::vector<shard_figures>& shards) {
  const auto add = [&](prometheus::MetricType type, std::string name, std::string help, auto metric_of) {
    prometheus::MetricFamily made = family(type, std::move(name), std::move(help));
    for (std::size_t shard = 0; shard < shards.size(); ++shard) {
      made.metric.push_back(metric_of(shards[shard]));
      made.metric.back().label.push_back({.name = "shard", .value = std::to_string(shard)});
    }
    all.push_back(std::move(made));
  };
  const auto gauge = [](double value) { return number(prometheus::MetricType::Gauge, value); };
  add(prometheus::MetricType::Counter, "tare_shard_busy_seconds_total", "Time that the shard was not asleep.",
      [](const auto& each) { return number(prometheus::MetricType::Counter, seconds(each.watched - each.asleep)); });
  add(prometheus::MetricType::Histogram, "tare_shard_slice_seconds", "How long tasks run between two awaits.",
      [](const auto& each) { return histogram(each.slices); });
  add(prometheus::MetricType::Gauge, "tare_shard_longest_slice_seconds", "The longest of these since the watch began.",
      [&](const auto& each) { return gauge(seconds(each.longest_slice)); });
  add(prometheus::MetricType::Histogram, "tare_shard_timer_delay_seconds", "How late expired timers are looked at.",
      [](const auto& each) { return histogram(each.timers); });
  add(prometheus::MetricType::Gauge, "tare_shard_queued_tasks", "Tasks that could run.",
      [&](const auto& each) { return gauge(static_cast<double>(each.queued)); });
  add(prometheus::MetricType::Gauge, "tare_shard_tasks", "Tasks of the shard.",
      [&](const auto& each) { return gauge(static_cast<double>(each.tasks)); });
}

}  // namespace

std::vector<prometheus::MetricFamily> runtime_collector::Collect() const {
  std::vector<prometheus::MetricFamily> all;
  add_runtime(all, runtime_);
  if (watch_ != nullptr) add_shards(all, watch_->figures());
  return all;
}

std::string metrics_text(std::initializer_list<const prometheus::Collectable*> from) {
  std::vector<prometheus::MetricFamily> all;
  for (const prometheus::Collectable* const each : from) {
    std::vector<prometheus::MetricFamily> some = each->Collect();
    all.insert(all.end(), std::make_move_iterator(some.begin()), std::make_move_iterator(some.end()));
  }
  return prometheus::TextSerializer().Serialize(all);
}

}  // namespace tare
