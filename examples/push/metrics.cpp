#include "metrics.hpp"

#include <cstdint>
#include <string>

namespace push {

namespace {

prometheus::Gauge& gauge(prometheus::Registry& in, const char* name, const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(in).Add({});
}

prometheus::Counter& counter(prometheus::Registry& in, const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(in).Add({});
}

/// The counter follows a number that something else counts.
void follow(prometheus::Counter& by, std::uint64_t number) { by.Increment(static_cast<double>(number) - by.Value()); }

}  // namespace

metrics::metrics()
    : subscribers_(prometheus::BuildGauge()
                       .Name("push_subscribers")
                       .Help("Subscribers, by kind; \"poll\" are requests that wait for the next event.")
                       .Register(registry_)),
      refusals_(prometheus::BuildCounter()
                    .Name("push_refused_total")
                    .Help("Refused requests to publish or to subscribe, by reason.")
                    .Register(registry_)),
      topics_(gauge(registry_, "push_topics", "Topics with subscribers or a history.")),
      behind_(gauge(registry_, "push_subscribers_behind", "Subscribers that have not received everything yet.")),
      kept_bytes_(gauge(registry_, "push_kept_bytes", "Bytes of events for them, and of the histories.")),
      events_(counter(registry_, "push_events_total", "Published events.")),
      event_bytes_(counter(registry_, "push_event_bytes_total", "Bytes of the data of published events.")),
      deliveries_(counter(registry_, "push_deliveries_total", "Recipients, summed over the published events.")),
      missed_(counter(registry_, "push_missed_events_total", "Events that subscribers were too slow for.")),
      resets_(counter(registry_, "push_resets_total", "Clients told that they may have missed events.")),
      nats_connected(gauge(registry_, "push_nats_connected", "1 while there is a connection to NATS.")),
      skipped(counter(registry_, "push_skipped_total", "Messages of the stream that are not events of a gateway.")),
      connections(gauge(registry_, "http_connections", "Connections, idle ones included.")),
      active(gauge(registry_, "http_requests_active", "Requests whose handlers have not ended.")) {
  for (const std::string_view reason : {"topics", "memory", "token", "origin", "nats"}) {
    refusals_.Add({{"reason", std::string(reason)}});  // so that it is 0 before the first one
  }
}

void metrics::set(const topic_figures& seen) {
  for (std::size_t kind = 0; kind < subscriber_names.size(); ++kind) {
    const std::string name(subscriber_names.at(kind));
    subscribers_.Add({{"kind", name}}).Set(static_cast<double>(seen.subscribers.at(kind)));
  }
  topics_.Set(static_cast<double>(seen.topics));
  behind_.Set(static_cast<double>(seen.behind));
  kept_bytes_.Set(static_cast<double>(seen.kept_bytes));
  follow(events_, seen.events);
  follow(event_bytes_, seen.event_bytes);
  follow(deliveries_, seen.deliveries);
  follow(missed_, seen.missed);
  follow(resets_, seen.resets);
}

}  // namespace push
