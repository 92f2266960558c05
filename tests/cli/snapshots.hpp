#pragma once

// Snapshots for tests.

#include "inspect/live/snapshot.hpp"

#include <cstdint>
#include <string>
#include <utility>

namespace cli_test {

inline tare::inspect::live_site site(std::string function, std::uint32_t line, std::uint64_t count,
                                     std::uint64_t each) {
  tare::inspect::live_site made;
  made.function = std::move(function);
  made.where = {.file = "/src/server.cpp", .line = line};
  made.image = "/usr/bin/server";
  made.count = count;
  made.frame_bytes = each;
  made.total_bytes = count * each;
  return made;
}

/// 1,000 connections: 600 of them serve a request, 400 of these wait for a session of the pool.
inline tare::inspect::live_snapshot a_server() {
  tare::inspect::live_snapshot made;
  made.pid = 42;
  made.command = "/usr/bin/server";
  made.rss_bytes = 2'000'000;
  made.scanned_bytes = 1'500'000;
  made.seconds = 0.4;
  made.paused_seconds = 0.052;
  made.sites = {site("serve(stream, int)", 10, 1'000, 200), site("handle(request)", 20, 600, 100),
                site("acquire(pool&)", 30, 400, 50)};
  for (const auto& each : made.sites) {
    made.frames += each.count;
    made.frame_bytes += each.total_bytes;
  }
  made.stacks = {{.site = 0, .count = 400, .bytes = 80'000, .bytes_with_below = 80'000},
                 {.site = 0, .count = 600, .bytes = 120'000, .bytes_with_below = 200'000},
                 {.site = 1, .parent = 1, .count = 200, .bytes = 20'000, .bytes_with_below = 20'000},
                 {.site = 1, .parent = 1, .count = 400, .bytes = 40'000, .bytes_with_below = 60'000},
                 {.site = 2, .parent = 3, .count = 400, .bytes = 20'000, .bytes_with_below = 20'000}};
  return made;
}

}  // namespace cli_test
