#include "net/on_reactors.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace {

using namespace tare::testing;
using tare::task;
using tare::net::stream;

class stream_deadline : public on_reactors {};
TARE_ON_ALL_REACTORS(stream_deadline);

TEST_P(stream_deadline, a_deadline_ends_reads_and_is_taken_back) {
  run([]() -> task<> {
    auto [client, server] = co_await connect_loopback();
    server.expires_after(50ms);
    const auto begun = tare::now();
    EXPECT_EQ((co_await server.read()).error(), std::errc::timed_out);
    EXPECT_GE(tare::now() - begun, 50ms);
    EXPECT_LE(tare::now() - begun, 5s);
    EXPECT_EQ((co_await server.write(bytes_of("x"))).error(), std::errc::timed_out);
    server.expires_never();
    EXPECT_TRUE(co_await client.write(bytes_of("y")));
    EXPECT_EQ(text_of((co_await server.read())->bytes()), "y");
    server.expires_after(1h);
    EXPECT_TRUE(co_await client.write(bytes_of("z")));
    EXPECT_EQ(text_of((co_await server.read())->bytes()), "z");
  }());
}

/// Fills the system's buffers for a peer that does not read.
void fill(stream& to) {
  const std::vector<std::byte> much(1 << 16);
  while (to.try_write(much)) {
  }
}

enum class step : std::uint8_t { limit_read, limit_write, limit_both, free_read, free_write };

void take_step(stream& of, step taken) {
  switch (taken) {
    case step::limit_read:
      return of.expires_after(20ms, tare::net::direction::read);
    case step::limit_write:
      return of.expires_after(20ms, tare::net::direction::write);
    case step::limit_both:
      return of.expires_after(20ms);
    case step::free_read:
      return of.expires_never(tare::net::direction::read);
    case step::free_write:
      return of.expires_never(tare::net::direction::write);
  }
}

TEST_P(stream_deadline, each_direction_has_a_deadline_of_its_own) {
  auto chosen = options();
  chosen.clock = tare::clock_kind::virtual_time;
  // Every sequence of two steps, both while tasks wait for both directions and before.
  for (int both = 0; both < 50; ++both) {
    run(
        [](step first, step second, bool waits) -> task<> {
          auto [each, other] = stream::pair().value();
          fill(each);
          std::optional<std::error_code> read;
          std::optional<std::error_code> written;
          co_await tare::with_scope([&](tare::scope& s) -> task<> {
            const auto start = [&] {
              s.spawn([](stream& from, std::optional<std::error_code>& ended) -> task<> {
                ended = (co_await from.readable()).error();
              }(each, read));
              s.spawn([](stream& to, std::optional<std::error_code>& ended) -> task<> {
                ended = (co_await to.write(bytes_of("x"))).error();
              }(each, written));
            };
            if (waits) {
              start();
              co_await tare::sleep_for(1ms);
            }
            take_step(each, first);
            take_step(each, second);
            if (!waits) start();
            co_await tare::sleep_for(1s);
            bool read_limited = first == step::limit_read || first == step::limit_both;
            bool write_limited = first == step::limit_write || first == step::limit_both;
            if (second == step::limit_read || second == step::limit_both) read_limited = true;
            if (second == step::limit_write || second == step::limit_both) write_limited = true;
            if (second == step::free_read) read_limited = false;
            if (second == step::free_write) write_limited = false;
            EXPECT_EQ(read.has_value(), read_limited);
            EXPECT_EQ(written.has_value(), write_limited);
            if (read) {
              EXPECT_EQ(*read, std::errc::timed_out);
            }
            if (written) {
              EXPECT_EQ(*written, std::errc::timed_out);
            }
            each.close();
          });
        }(static_cast<step>(both / 2 / 5), static_cast<step>(both / 2 % 5), both % 2 == 0),
        chosen);
  }
}

TEST_P(stream_deadline, far_deadlines_come_in_time_or_not_at_all) {
  auto chosen = options();
  chosen.clock = tare::clock_kind::virtual_time;
  tare::runtime rt(chosen);
  rt.run([]() -> task<> {
    // Many rounds, so that the slot's truncated deadlines wrap around.
    for (int round = 0; round < 8; ++round) {
      auto [each, other] = stream::pair().value();
      const auto begun = tare::now();
      each.expires_after(24h * 12);
      EXPECT_EQ((co_await each.read()).error(), std::errc::timed_out);
      EXPECT_GE(tare::now() - begun, 24h * 12);
      EXPECT_LE(tare::now() - begun, 24h * 12 + 250ms);
    }
    auto [each, other] = stream::pair().value();
    for (const auto never :
         {std::chrono::nanoseconds(24h * 14), std::chrono::nanoseconds(24h * 1000), std::chrono::nanoseconds::max()}) {
      each.expires_after(never);
      EXPECT_FALSE((co_await tare::timeout(24h * 2000, each.read())).has_value());
    }
  }());
}

TEST_P(stream_deadline, deadlines_follow_the_virtual_clock) {
  auto chosen = options();
  chosen.clock = tare::clock_kind::virtual_time;
  tare::runtime rt(chosen);
  rt.run([]() -> task<> {
    auto [client, server] = co_await connect_loopback();
    server.expires_after(24h);
    const auto begun = tare::now();
    EXPECT_EQ((co_await server.read()).error(), std::errc::timed_out);
    EXPECT_GE(tare::now() - begun, 24h);
    EXPECT_LE(tare::now() - begun, 24h + 250ms);
    // Bytes that have already arrived take precedence over a deadline that passes.
    server.expires_after(1s);
    EXPECT_TRUE(co_await client.write(bytes_of("first")));
    EXPECT_TRUE((co_await tare::timeout(1ms, server.read()))->has_value());
  }());
}

TEST_P(stream_deadline, only_those_past_their_deadline_end) {
  run([]() -> task<> {
    constexpr int count = 300;
    int timed_out = 0;
    int others = 0;
    co_await tare::with_scope([&](tare::scope& s) -> task<> {
      std::vector<stream> held;
      for (int i = 0; i < count; ++i) {
        auto both = stream::pair();
        EXPECT_TRUE(both.has_value());
        if (i % 3 == 0) both->first.expires_after(20ms * (i % 5 + 1));
        if (i % 3 == 1) both->first.expires_after(1h);
        s.spawn([](stream from, int& expired, int& ended) -> task<> {
          auto got = co_await from.read();
          if (!got && got.error() == std::errc::timed_out) {
            ++expired;
          } else {
            ++ended;
          }
        }(std::move(both->first), timed_out, others));
        held.push_back(std::move(both->second));
      }
      co_await tare::sleep_for(600ms);
      EXPECT_EQ(timed_out, count / 3);
      EXPECT_EQ(others, 0);
    });
    EXPECT_EQ(others, count - count / 3);
  }());
}

}  // namespace
