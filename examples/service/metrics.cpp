#include "metrics.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

namespace service {

namespace {

/// Upper bounds of the histogram's buckets, in seconds.
constexpr std::array latency_bounds{0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5};

prometheus::Family<prometheus::Gauge>& gauges(prometheus::Registry& in, const char* name, const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(in);
}

prometheus::Gauge& gauge(prometheus::Registry& in, const char* name, const char* help) {
  return gauges(in, name, help).Add({});
}

}  // namespace

metrics::metrics()
    : suspended_(gauges(registry_, "tare_suspended_frames", "Coroutines, by what they wait for.")),
      frames_(gauges(registry_, "tare_shard_frames", "Coroutines in the memory of each shard.")),
      frame_bytes_(gauges(registry_, "tare_shard_frame_bytes", "Bytes of the frames of these coroutines.")),
      longest_pause_(gauge(registry_, "tare_snapshot_longest_pause_seconds",
                           "Longest time that a shard has counted its coroutines without running any.")),
      connections(gauge(registry_, "http_connections", "Connections, idle ones included.")),
      active(gauge(registry_, "http_requests_active", "Requests whose handlers have not ended.")),
      tasks(gauge(registry_, "tare_tasks", "Live tasks: one per connection, and detached tasks.")),
      database_connections(gauge(registry_, "db_connections_max", "Maximum number of database connections.")),
      database_lent(gauge(registry_, "db_connections_lent", "Database connections in use.")) {
  auto& requests = prometheus::BuildCounter()
                       .Name("http_requests_total")
                       .Help("Responses, by route and status class.")
                       .Register(registry_);
  auto& durations = prometheus::BuildHistogram()
                        .Name("http_request_duration_seconds")
                        .Help("Time from the head of a request to its response.")
                        .Register(registry_);
  const prometheus::Histogram::BucketBoundaries bounds(latency_bounds.begin(), latency_bounds.end());
  for (std::size_t of = 0; of < routes_.size(); ++of) {
    const std::string name(route_names.at(of));
    for (std::size_t status = 0; status < classes; ++status) {
      const std::string code = std::to_string(status + 1) + "xx";
      routes_.at(of).statuses.at(status) = &requests.Add({{"route", name}, {"code", code}});
    }
    routes_.at(of).durations = &durations.Add({{"route", name}}, bounds);
  }
}

void metrics::count(route of, unsigned status, std::chrono::nanoseconds took) {
  const of_route& counted = routes_.at(std::to_underlying(of));
  counted.statuses.at(std::clamp(status / 100, 1U, 5U) - 1)->Increment();
  counted.durations->Observe(std::chrono::duration<double>(took).count());
}

void metrics::set_tasks(const tare::task_snapshot& seen) {
  std::array<std::size_t, tare::awaited_count> waiting{};
  for (const tare::frame_group& each : seen.groups) waiting.at(std::to_underlying(each.waiting_for)) += each.count;
  for (std::size_t i = 0; i < waiting.size(); ++i) {
    const std::string name(tare::name_of(static_cast<tare::awaited>(i)));
    suspended_.Add({{"waiting_for", name}}).Set(static_cast<double>(waiting.at(i)));
  }
  const auto set = [&](const std::string& shard, const tare::walked_heap& of) {
    frames_.Add({{"shard", shard}}).Set(static_cast<double>(of.frames));
    frame_bytes_.Add({{"shard", shard}}).Set(static_cast<double>(of.frame_bytes));
  };
  for (std::size_t shard = 0; shard < seen.shards.size(); ++shard) set(std::to_string(shard), seen.shards[shard]);
  set("outside", seen.outside);
  longest_pause_.Set(std::chrono::duration<double>(seen.longest_pause()).count());
}

}  // namespace service
