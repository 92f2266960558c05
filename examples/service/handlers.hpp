#pragma once

// What each route answers.

#include "catalogue.hpp"
#include "metrics.hpp"
#include "task_watch.hpp"

#include <tare/http/handler.hpp>
#include <tare/http/server.hpp>
#include <tare/runtime.hpp>

#include <atomic>
#include <vector>

namespace service {

/// What the handlers of all shards share.
struct application {
  application(tare::runtime& in, catalogue of)
      : runtime(in), items(std::move(of)), measured(in.shards()), servers(in.shards()) {}

  tare::runtime& runtime;
  catalogue items;
  metrics measured;
  task_watch tasks;
  std::vector<tare::http::server*> servers;  ///< by shard; each to be touched on its shard only
  std::atomic<bool> draining = false;
};

/// Bytes that one request may take at most: its body, what is made of it, its answer, and the frames in between.
inline constexpr std::size_t request_bytes = std::size_t{128} << 10U;
inline constexpr std::size_t most_body_bytes = std::size_t{16} << 10U;

/// The application must outlive what uses the handler.
[[nodiscard]] tare::http::handler make_routes(application& app);

}  // namespace service
