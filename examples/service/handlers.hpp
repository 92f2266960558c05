#pragma once

// The handler of each route.

#include "catalogue.hpp"
#include "metrics.hpp"
#include "task_watch.hpp"

#include <tare/http/handler.hpp>
#include <tare/http/serve_until_stopped.hpp>
#include <tare/runtime.hpp>
#include <tare/shard_watch.hpp>
#include <tare/task.hpp>

#include <cstddef>
#include <string>

namespace service {

/// Shared by the handlers of all shards.
struct application {
  application(tare::runtime& in, catalogue of)
      : runtime(in), items(std::move(of)), watch(in, {.on_long_slice = &report_long_slice}) {}

  tare::runtime& runtime;
  catalogue items;
  tare::shard_watch watch;  ///< reports handlers that hold up their shard
  metrics measured;
  task_watch tasks;
};

/// Maximum bytes of one request: its body, the item parsed from it, the response, and the frames in between.
inline constexpr std::size_t request_bytes = std::size_t{128} << 10U;
inline constexpr std::size_t max_item_body_bytes = std::size_t{16} << 10U;

/// The application must outlive every user of the handler.
[[nodiscard]] tare::http::handler make_routes(application& app);

/// The text of `/metrics`. The application must outlive the task.
[[nodiscard]] tare::task<std::string> metrics_of(application& app, tare::http::serving_figures servers);

}  // namespace service
