#include "measure/weigh/figures_json.hpp"

#include <nlohmann/json.hpp>

#include <chrono>

namespace tare::measure {
namespace {

double seconds_of(std::chrono::nanoseconds time) { return std::chrono::duration<double>(time).count(); }

}  // namespace

nlohmann::ordered_json figures_of(const sample& point) {
  nlohmann::ordered_json json{{"n", point.n},
                              {"rss_bytes", point.held.resident},
                              {"pss_bytes", point.held.proportional},
                              {"anonymous_bytes", point.held.anonymous},
                              {"page_table_bytes", point.held.page_tables},
                              {"peak_bytes", point.held.peak},
                              {"swapped_bytes", point.held.swapped},
                              {"ready_seconds", seconds_of(point.ready)},
                              {"cpu_seconds", seconds_of(point.cpu)}};
  if (point.burst != 0) json["burst_rss_bytes"] = point.burst;
  if (point.kernel.slab) json["slab_bytes"] = *point.kernel.slab;
  if (point.kernel.sockets) json["socket_bytes"] = *point.kernel.sockets;
  return json;
}

}  // namespace tare::measure
