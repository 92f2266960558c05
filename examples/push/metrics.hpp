#pragma once

// The gateway's metrics, besides those of the runtime (tare::runtime_collector).

#include "topics.hpp"

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>

#include <string_view>

namespace push {

class metrics {
 public:
  metrics();

  /// A request to publish or to subscribe has been refused.
  void count_refusal(std::string_view why) { refusals_.Add({{"reason", std::string(why)}}).Increment(); }
  /// Takes over the figures of the topics.
  void set(const topic_figures& seen);

  [[nodiscard]] const prometheus::Registry& registry() const noexcept { return registry_; }

 private:
  prometheus::Registry registry_;
  prometheus::Family<prometheus::Gauge>& subscribers_;
  prometheus::Family<prometheus::Counter>& refusals_;
  prometheus::Gauge& topics_;
  prometheus::Gauge& behind_;
  prometheus::Gauge& kept_bytes_;
  prometheus::Counter& events_;
  prometheus::Counter& event_bytes_;
  prometheus::Counter& deliveries_;
  prometheus::Counter& missed_;
  prometheus::Counter& resets_;

 public:
  prometheus::Gauge& nats_connected;
  prometheus::Counter& skipped;
  prometheus::Gauge& connections;
  prometheus::Gauge& active;
};

}  // namespace push
