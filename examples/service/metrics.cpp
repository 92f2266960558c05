#include "metrics.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

namespace service {

namespace {

/// The shortest text that is the same number.
std::string text_of(double value) {
  std::array<char, 32> text{};
  const auto [end, failure] = std::to_chars(text.data(), text.data() + text.size(), value);
  return {text.data(), failure == std::errc() ? end : text.data()};
}

void add(std::atomic<std::uint64_t>& to, std::uint64_t by) noexcept { to.fetch_add(by, std::memory_order_relaxed); }

void write_head(std::string& text, std::string_view name, std::string_view type, std::string_view help) {
  text.append("# HELP ").append(name).append(" ").append(help).append("\n");
  text.append("# TYPE ").append(name).append(" ").append(type).append("\n");
}

}  // namespace

metrics::metrics(std::size_t shards) {
  for (std::size_t i = 0; i < shards; ++i) shards_.push_back(std::make_unique<of_shard>());
}

void metrics::count(std::size_t shard, route of, unsigned status, std::chrono::nanoseconds took) noexcept {
  of_route& counted = shards_[shard]->routes.at(std::to_underlying(of));
  add(counted.statuses.at(std::clamp(status / 100, 1U, 5U) - 1), 1);
  const double seconds = std::chrono::duration<double>(took).count();
  const auto bucket = std::ranges::lower_bound(latency_bounds, seconds) - latency_bounds.begin();
  add(counted.buckets.at(static_cast<std::size_t>(bucket)), 1);
  add(counted.nanoseconds, static_cast<std::uint64_t>(std::max<std::int64_t>(took.count(), 0)));
}

void metrics::write(std::string& text) const {
  const auto sum = [this](std::size_t of, auto member) {
    std::uint64_t all = 0;
    for (const auto& shard : shards_) all += member(shard->routes.at(of)).load(std::memory_order_relaxed);
    return all;
  };

  write_head(text, "http_requests_total", "counter", "Responses, by route and status class.");
  for (std::size_t of = 0; of < route_names.size(); ++of) {
    for (std::size_t status = 0; status < classes; ++status) {
      const auto count = sum(of, [&](const of_route& each) -> auto& { return each.statuses.at(status); });
      if (count == 0) continue;
      text.append("http_requests_total{route=\"").append(route_names.at(of)).append("\",code=\"");
      text.append(std::to_string(status + 1)).append("xx\"} ").append(std::to_string(count)).append("\n");
    }
  }

  write_head(text, "http_request_duration_seconds", "histogram", "Time from the head of a request to its response.");
  for (std::size_t of = 0; of < route_names.size(); ++of) {
    const std::string label = "route=\"" + std::string(route_names.at(of)) + "\"";
    std::uint64_t below = 0;
    for (std::size_t i = 0; i <= latency_bounds.size(); ++i) {
      below += sum(of, [&](const of_route& each) -> auto& { return each.buckets.at(i); });
      const std::string bound = i < latency_bounds.size() ? text_of(latency_bounds.at(i)) : "+Inf";
      text.append("http_request_duration_seconds_bucket{").append(label).append(",le=\"").append(bound).append("\"} ");
      text.append(std::to_string(below)).append("\n");
    }
    const auto nanoseconds = sum(of, [](const of_route& each) -> auto& { return each.nanoseconds; });
    text.append("http_request_duration_seconds_sum{").append(label).append("} ");
    text.append(text_of(static_cast<double>(nanoseconds) * 1e-9)).append("\n");
    text.append("http_request_duration_seconds_count{").append(label).append("} ");
    text.append(std::to_string(below)).append("\n");
  }
}

void metrics::write_value(std::string& text, std::string_view name, std::string_view type, std::string_view help,
                          double value) {
  write_head(text, name, type, help);
  text.append(name).append(" ").append(text_of(value)).append("\n");
}

void metrics::write_values(std::string& text, std::string_view name, std::string_view type, std::string_view help,
                           std::string_view label, std::span<const std::pair<std::string, double>> values) {
  write_head(text, name, type, help);
  for (const auto& [of, value] : values) {
    text.append(name).append("{").append(label).append("=\"").append(of).append("\"} ");
    text.append(text_of(value)).append("\n");
  }
}

}  // namespace service
