#pragma once

// What a server has told its access log.

#include <tare/error.hpp>
#include <tare/http.hpp>
#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace tare::test {

inline std::string text_of(const std::exception_ptr& error) {
  if (!error) return "";
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& thrown) {
    return thrown.what();
  } catch (const cancelled&) {
    return "cancelled";
  }
}

struct logged {
  std::string method;
  std::string target;
  std::string peer;
  unsigned status = 0;
  std::uint64_t bytes = 0;
  std::chrono::nanoseconds duration{0};
  std::error_code error;
  std::string thrown;
};

struct kept_log {
  std::vector<logged> entries;

  [[nodiscard]] http::server_options options(http::server_options with = {}) {
    with.on_response = [this](const http::access_entry& of) {
      entries.push_back({.method = std::string(of.method),
                         .target = std::string(of.target),
                         .peer = of.peer ? of.peer->to_string() : of.peer.error().message(),
                         .status = of.status,
                         .bytes = of.bytes,
                         .duration = of.duration,
                         .error = of.error,
                         .thrown = text_of(of.exception)});
    };
    return with;
  }
  /// The entries since the last call; waits until there are `count`.
  task<std::vector<logged>> take(std::size_t count) {
    for (int i = 0; i < 2000 && entries.size() < count; ++i) co_await sleep_for(std::chrono::milliseconds(5));
    EXPECT_EQ(entries.size(), count);
    auto taken = std::exchange(entries, {});
    taken.resize(std::max(taken.size(), count));
    co_return taken;
  }
};

inline std::string get(std::string_view target, std::string_view more = {}) {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: a\r\n" + std::string(more) + "\r\n";
}

}  // namespace tare::test
