#pragma once

// Scenarios that run on one host with several shards.

#include <tare/sim.hpp>
#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

namespace tare::testing {

inline constexpr unsigned shards = 3;

/// A time below `most` microseconds that the seed determines.
[[nodiscard]] inline std::chrono::microseconds some_time(sim::world& w, std::uint64_t most = 2000) {
  return std::chrono::microseconds(w.random_below(most));
}

/// Runs `body` on the first shard of a new host, and waits for its end.
inline task<> run_on_shards(sim::world& w, std::function<task<>(sim::world&)> body, sim::host_options options) {
  auto done = std::make_shared<bool>(false);
  w.add_host("host", options).spawn([&w, run = std::move(body), done]() -> task<> {
    co_await run(w);
    *done = true;
  });
  for (int i = 0; i < 20'000 && !*done; ++i) co_await sleep_for(std::chrono::milliseconds(1));
  EXPECT_TRUE(*done) << "the scenario hangs";
}

inline void on_shards(std::uint64_t seeds, std::function<task<>(sim::world&)> body) {
  sim::run_seeds(seeds, {}, [run = std::move(body)](sim::world& w) -> task<> {
    const sim::host_options options{.shards = shards};
    co_await run_on_shards(w, run, options);
  });
}

}  // namespace tare::testing
