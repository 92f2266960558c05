#pragma once

// The service's metrics, besides those of the runtime (tare::runtime_collector).

#include <tare/snapshot.hpp>

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace service {

enum class route : std::uint8_t { get_item, post_item, other };
inline constexpr std::array<std::string_view, 3> route_names{"/items/{id}", "/items", "other"};

/// Any shard.
class metrics {
 public:
  metrics();

  /// A request has been responded to.
  void count(route of, unsigned status, std::chrono::nanoseconds took);
  /// What the coroutines wait for.
  void set_tasks(const tare::task_snapshot& seen);

  [[nodiscard]] const prometheus::Registry& registry() const noexcept { return registry_; }

 private:
  static constexpr std::size_t classes = 5;  ///< 1xx to 5xx

  struct of_route {
    std::array<prometheus::Counter*, classes> statuses{};
    prometheus::Histogram* durations = nullptr;
  };

  prometheus::Registry registry_;
  std::array<of_route, route_names.size()> routes_;
  prometheus::Family<prometheus::Gauge>& suspended_;
  prometheus::Family<prometheus::Gauge>& frames_;
  prometheus::Family<prometheus::Gauge>& frame_bytes_;
  prometheus::Gauge& longest_pause_;

 public:
  prometheus::Gauge& connections;
  prometheus::Gauge& active;
  prometheus::Gauge& tasks;
  prometheus::Gauge& database_connections;
  prometheus::Gauge& database_lent;
};

}  // namespace service
