#include "tracing/otlp.hpp"

#include <nlohmann/json.hpp>

#include <string_view>

namespace tare::detail {

namespace {

using nlohmann::json;

json attribute(const std::string& key, const std::string& value) {
  json held = json::object();
  held["stringValue"] = value;
  json made = json::object();
  made["key"] = key;
  made["value"] = std::move(held);
  return made;
}

/// 64-bit numbers are strings in this encoding.
std::string nanoseconds_of(std::chrono::system_clock::time_point time) {
  return std::to_string(std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count());
}

json described(const recorded_span& source) {
  constexpr int internal_kind = 1;
  constexpr int server_kind = 2;
  constexpr int error_code = 2;
  json span = json::object();
  span["traceId"] = http::trace_id_text(source.context);
  span["spanId"] = http::span_id_text(source.context);
  if (source.parent) span["parentSpanId"] = http::span_id_text(*source.parent);
  span["name"] = source.name;
  span["kind"] = source.is_server ? server_kind : internal_kind;
  span["startTimeUnixNano"] = nanoseconds_of(source.began);
  span["endTimeUnixNano"] = nanoseconds_of(source.ended);
  json attributes = json::array();
  for (const auto& [key, value] : source.attributes) attributes.push_back(attribute(key, value));
  span["attributes"] = std::move(attributes);
  if (!source.error.empty()) {
    json status = json::object();
    status["code"] = error_code;
    status["message"] = source.error;
    span["status"] = std::move(status);
  }
  return span;
}

}  // namespace

std::string otlp_json(const std::string& service_name, const std::vector<recorded_span>& spans) {
  json list = json::array();
  for (const recorded_span& each : spans) list.push_back(described(each));
  json scope_spans = json::object();
  scope_spans["scope"]["name"] = "tare";
  scope_spans["spans"] = std::move(list);
  json resource_spans = json::object();
  resource_spans["resource"]["attributes"] = json::array({attribute("service.name", service_name)});
  resource_spans["scopeSpans"] = json::array({std::move(scope_spans)});
  json all = json::object();
  all["resourceSpans"] = json::array({std::move(resource_spans)});
  return all.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace tare::detail
