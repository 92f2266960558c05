#pragma once

// A client that follows a script, byte by byte and second by second, and what it has seen.

#include <tare/net.hpp>
#include <tare/sim.hpp>
#include <tare/tare.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tare::testing {

[[nodiscard]] inline std::span<const std::byte> bytes_in(std::string_view text) {
  return std::as_bytes(std::span(text));
}

struct script_step {
  std::string bytes;
  std::chrono::nanoseconds pause{0};  ///< after them
};

struct script {
  std::vector<script_step> steps;
  std::size_t read_bytes = 64U << 10U;                            ///< at most so much at once
  std::chrono::nanoseconds read_pause{0};                         ///< after each of these
  std::chrono::nanoseconds first_read{0};                         ///< nothing is read before
  std::chrono::nanoseconds patience = std::chrono::seconds(300);  ///< then the client leaves
  bool half_closes = false;                                       ///< after the last step
};

struct seen_bytes {
  std::string bytes;
  bool ended = false;   ///< the stream ended
  bool broken = false;  ///< by an error
  std::chrono::nanoseconds lasted{0};
};

template <class Stream>
task<> follow_steps(Stream& by, const script& what) {
  for (const script_step& step : what.steps) {
    if (!step.bytes.empty()) {
      const auto sent = co_await by.write(std::as_bytes(std::span(step.bytes)));
      if (!sent) co_return;
    }
    if (step.pause.count() != 0) co_await sleep_for(step.pause);
  }
  if (what.half_closes) (void)by.shutdown_write();
}

template <class Stream>
task<> read_to_end(Stream& by, const script& what, seen_bytes& seen) {
  if (what.first_read.count() != 0) co_await sleep_for(what.first_read);
  std::string room(what.read_bytes, ' ');
  for (;;) {
    const auto got = co_await by.read(std::as_writable_bytes(std::span(room)));
    if (!got || *got == 0) {
      seen.ended = got.has_value();
      seen.broken = !got.has_value();
      co_return;
    }
    seen.bytes.append(room, 0, *got);
    if (what.read_pause.count() != 0) co_await sleep_for(what.read_pause);
  }
}

/// Sends and reads at the same time, until the peer has ended the connection or patience has.
template <class Stream>
task<seen_bytes> follow(Stream by, script what) {
  seen_bytes seen;
  const auto begun = now();
  scope sending;
  sending.spawn(follow_steps(by, what));
  (void)co_await timeout(what.patience, read_to_end(by, what, seen));
  seen.lasted = now() - begun;
  sending.cancel();
  co_await sending.join();
  co_return seen;
}

[[nodiscard]] inline task<seen_bytes> follow(net::endpoint to, script what) {
  auto connected = co_await net::connect(to);
  if (!connected) co_return seen_bytes();
  co_return co_await follow(std::move(*connected), std::move(what));
}

}  // namespace tare::testing
