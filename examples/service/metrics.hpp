#pragma once

// The service's metrics, in the Prometheus text format. Counted per shard, and summed on request.

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace service {

enum class route : std::uint8_t { get_item, post_item, other };
inline constexpr std::array<std::string_view, 3> route_names{"/items/{id}", "/items", "other"};

/// Upper bounds of the histogram's buckets, in seconds.
inline constexpr std::array<double, 12> latency_bounds{0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005,
                                                       0.01,   0.025,   0.05,   0.1,   0.5,    2.5};

class metrics {
 public:
  explicit metrics(std::size_t shards);

  /// Call it on its shard.
  void count(std::size_t shard, route of, unsigned status, std::chrono::nanoseconds took) noexcept;

  /// Request counters and the histogram of their durations.
  void write(std::string& text) const;

  /// One gauge or counter with its help.
  static void write_value(std::string& text, std::string_view name, std::string_view type, std::string_view help,
                          double value);
  /// The same with one value per label value.
  static void write_values(std::string& text, std::string_view name, std::string_view type, std::string_view help,
                           std::string_view label, std::span<const std::pair<std::string, double>> values);

 private:
  static constexpr std::size_t classes = 5;  ///< 1xx to 5xx

  struct of_route {
    std::array<std::atomic<std::uint64_t>, classes> statuses{};
    std::array<std::atomic<std::uint64_t>, latency_bounds.size() + 1> buckets{};
    std::atomic<std::uint64_t> nanoseconds = 0;
  };
  struct alignas(64) of_shard {
    std::array<of_route, route_names.size()> routes;
  };

  std::vector<std::unique_ptr<of_shard>> shards_;
};

}  // namespace service
