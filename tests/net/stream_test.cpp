#include "net/on_reactors.hpp"

#include <array>
#include <optional>
#include <vector>

namespace {

using namespace tare::testing;
using tare::task;
using tare::net::lease;
using tare::net::stream;

class stream_test : public on_reactors {};
TARE_ON_ALL_REACTORS(stream_test);

TEST_P(stream_test, carries_bytes_both_ways) {
  run([]() -> task<> {
    auto [client, server] = co_await connect_loopback();
    EXPECT_TRUE(co_await client.write(bytes_of("question")));
    std::array<std::byte, 100> into{};
    const auto got = co_await server.read(into);
    EXPECT_EQ(text_of(std::span(into).first(got.value())), "question");
    EXPECT_TRUE(co_await server.write(bytes_of("answer")));
    const auto response = co_await client.read();
    EXPECT_EQ(text_of(response->bytes()), "answer");
    EXPECT_EQ(client.peer().value(), server.local().value());
    EXPECT_EQ(server.peer().value(), client.local().value());
  }());
}

TEST_P(stream_test, ends_with_an_empty_read) {
  run([]() -> task<> {
    auto [client, server] = co_await connect_loopback();
    EXPECT_TRUE(co_await client.write(bytes_of("last words")));
    client.close();
    EXPECT_EQ(co_await read_all(server), "last words");
    std::array<std::byte, 4> into{};
    EXPECT_EQ((co_await server.read(into)).value(), 0U);
    EXPECT_TRUE((co_await server.read())->empty());
  }());
}

TEST_P(stream_test, the_end_that_comes_while_nobody_reads_is_found) {
  // The bytes and the end are reported at different times, each only once.
  run([]() -> task<> {
    for (const int pauses : {0, 1, 2, 3}) {
      auto [client, server] = co_await connect_loopback();
      std::array<std::byte, 3> into{};
      tare::spawn([](stream ending, int until) -> task<> {
        (void)co_await ending.write(bytes_of("abc"));
        for (int i = 0; i < until; ++i) co_await tare::sleep_for(1ms);
        (void)co_await ending.write(bytes_of("d"));
      }(std::move(client), pauses));
      std::string all;
      for (;;) {
        const auto got = co_await server.read(into);
        if (got.value() == 0) break;
        all += text_of(std::span(into).first(*got));
        co_await tare::sleep_for(1ms);
      }
      EXPECT_EQ(all, "abcd");
    }
  }());
}

TEST_P(stream_test, one_direction_can_be_closed_alone) {
  run([]() -> task<> {
    auto [client, server] = co_await connect_loopback();
    EXPECT_TRUE(co_await client.write(bytes_of("request")));
    EXPECT_TRUE(client.shutdown_write());
    EXPECT_EQ(co_await read_all(server), "request");
    EXPECT_TRUE(co_await server.write(bytes_of("response")));
    server.close();
    EXPECT_EQ(co_await read_all(client), "response");
    const auto refused = co_await client.write(bytes_of("more"));
    EXPECT_EQ(refused.error(), std::errc::broken_pipe);
  }());
}

task<> fill(stream& into, std::size_t size) {
  std::vector<std::byte> bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i * 31 + i / 251);
  EXPECT_TRUE(co_await into.write(bytes));
  EXPECT_TRUE(into.shutdown_write());
}

task<> drain(stream& from, std::size_t size) {
  std::size_t at = 0;
  for (;;) {
    auto got = co_await from.read();
    EXPECT_TRUE(got.has_value());
    if (!got || got->empty()) break;
    for (const std::byte byte : got->bytes()) {
      if (byte != static_cast<std::byte>(at * 31 + at / 251)) ADD_FAILURE() << "byte " << at << " is wrong";
      ++at;
    }
  }
  EXPECT_EQ(at, size);
}

TEST_P(stream_test, carries_more_than_the_system_buffers) {
  run([]() -> task<> {
    auto [client, server] = co_await connect_loopback();
    constexpr std::size_t size = 20'000'000;
    co_await tare::when_all(fill(client, size), drain(server, size), fill(server, size), drain(client, size));
  }());
}

TEST_P(stream_test, writes_pieces_as_one) {
  run([]() -> task<> {
    auto [client, server] = co_await connect_loopback();
    const std::string large(3'000'000, 'x');
    // More pieces than one system call accepts, including empty ones.
    std::vector<std::span<const std::byte>> pieces{bytes_of("head"), {}, bytes_of(large)};
    for (int i = 0; i < 40; ++i) pieces.push_back(i % 3 == 0 ? std::span<const std::byte>() : bytes_of("piece"));
    pieces.push_back(bytes_of("tail"));
    std::string expected;
    for (const auto piece : pieces) expected += text_of(piece);
    auto [written, read] = co_await tare::when_all(
        [](stream& to, std::span<const std::span<const std::byte>> what) -> task<bool> {
          const auto done = co_await to.write(what);
          (void)to.shutdown_write();
          co_return done.has_value();
        }(client, pieces),
        read_all(server));
    EXPECT_TRUE(written);
    EXPECT_TRUE(read == expected);
    EXPECT_TRUE(co_await server.write(std::span<const std::span<const std::byte>>()));
    EXPECT_TRUE(co_await server.write(std::span<const std::byte>()));
    EXPECT_EQ((co_await server.read(std::span<std::byte>())).value(), 0U);
  }());
}

TEST_P(stream_test, a_cancelled_read_takes_nothing) {
  run([]() -> task<> {
    auto [client, server] = co_await connect_loopback();
    for (int round = 0; round < 20; ++round) {
      const auto none = co_await tare::timeout(1ms, server.read());
      EXPECT_FALSE(none.has_value());
    }
    EXPECT_TRUE(co_await client.write(bytes_of("still here")));
    EXPECT_EQ(text_of((co_await server.read())->bytes()), "still here");
  }());
}

TEST_P(stream_test, a_read_cancelled_when_its_bytes_had_come_delivers_them) {
  run([]() -> task<> {
    auto [client, server] = co_await connect_loopback();
    std::string got;
    co_await tare::with_scope([&](tare::scope& s) -> task<> {
      s.spawn([](stream& from, std::string& to) -> task<> {
        auto read = co_await from.read();
        if (read) to = text_of(read->bytes());
      }(server, got));
      co_await tare::sleep_for(2ms);
      EXPECT_TRUE(co_await client.write(bytes_of("in time")));
      // If the reader is already queued, it reads; if it still waits, the bytes stay in the socket.
      co_await tare::yield();
      s.cancel();
    });
    if (got.empty()) got = text_of((co_await server.read())->bytes());
    EXPECT_EQ(got, "in time");
  }());
}

TEST_P(stream_test, closing_ends_the_waits_of_others) {
  run([]() -> task<> {
    auto [client, server] = co_await connect_loopback();
    std::optional<std::error_code> read_error;
    std::optional<std::error_code> write_error;
    co_await tare::with_scope([&](tare::scope& s) -> task<> {
      s.spawn([](stream& from, std::optional<std::error_code>& seen) -> task<> {
        seen = (co_await from.read()).error();
      }(server, read_error));
      s.spawn([](stream& to, std::optional<std::error_code>& seen) -> task<> {
        const std::vector<std::byte> much(30'000'000);
        seen = (co_await to.write(much)).error();
      }(server, write_error));
      co_await tare::sleep_for(10ms);
      EXPECT_FALSE(read_error || write_error);
      server.close();
    });
    EXPECT_EQ(read_error, std::errc::operation_canceled);
    EXPECT_EQ(write_error, std::errc::operation_canceled);
    EXPECT_EQ((co_await server.read()).error(), std::errc::bad_file_descriptor);
    EXPECT_EQ((co_await server.write(bytes_of("x"))).error(), std::errc::bad_file_descriptor);
  }());
}

TEST_P(stream_test, a_second_reader_is_refused) {
  run([]() -> task<> {
    auto [client, server] = co_await connect_loopback();
    co_await tare::with_scope([&](tare::scope& s) -> task<> {
      s.spawn([](stream& from) -> task<> { (void)co_await from.read(); }(server));
      co_await tare::sleep_for(2ms);
      EXPECT_EQ((co_await server.read()).error(), std::errc::device_or_resource_busy);
      EXPECT_TRUE(co_await client.write(bytes_of("x")));
    });
  }());
}

TEST_P(stream_test, nothing_works_on_no_stream) {
  run([]() -> task<> {
    stream none;
    EXPECT_FALSE(none.is_open());
    EXPECT_EQ((co_await none.read()).error(), std::errc::bad_file_descriptor);
    EXPECT_EQ((co_await none.write(bytes_of("x"))).error(), std::errc::bad_file_descriptor);
    EXPECT_EQ(none.try_read({}).error(), std::errc::bad_file_descriptor);
    EXPECT_FALSE(none.local().has_value());
    EXPECT_FALSE(none.shutdown_write().has_value());
    none.expires_after(1s);
    none.close();
  }());
}

TEST_P(stream_test, tries_without_waiting) {
  run([]() -> task<> {
    auto [client, server] = co_await connect_loopback();
    std::array<std::byte, 10> into{};
    EXPECT_EQ(server.try_read(into).error(), std::errc::operation_would_block);
    EXPECT_EQ(client.try_write(bytes_of("hello")).value(), 5U);
    EXPECT_TRUE(co_await server.readable());
    EXPECT_EQ(server.try_read(into).value(), 5U);
    EXPECT_EQ(server.try_read(into).error(), std::errc::operation_would_block);
    const std::vector<std::byte> much(1'000'000);
    for (int i = 0; i < 100 && client.try_write(much); ++i) {
    }
    EXPECT_EQ(client.try_write(much).error(), std::errc::operation_would_block);
    auto emptied = [](stream& from) -> task<> {
      for (;;) {
        auto got = co_await from.read();
        if (!got || got->empty()) co_return;
      }
    };
    co_await tare::when_any(emptied(server), [](stream& to) -> task<> { EXPECT_TRUE(co_await to.writable()); }(client));
  }());
}

TEST_P(stream_test, looks_at_the_peer_without_reading) {
  run([]() -> task<> {
    using tare::net::peer_state;
    auto [client, server] = co_await connect_loopback();
    const auto becomes = [](stream& seen, peer_state expected) -> task<bool> {
      for (int i = 0; i < 1000 && seen.look_at_peer() != expected; ++i) co_await tare::sleep_for(1ms);
      co_return seen.look_at_peer() == expected;
    };
    EXPECT_EQ(server.look_at_peer(), peer_state::silent);
    EXPECT_EQ(client.try_write(bytes_of("hello")).value(), 5U);
    EXPECT_TRUE(co_await becomes(server, peer_state::sending));
    EXPECT_EQ(server.look_at_peer(), peer_state::sending) << "nothing was read";
    std::array<std::byte, 10> into{};
    EXPECT_EQ(server.try_read(into).value(), 5U);
    EXPECT_EQ(server.look_at_peer(), peer_state::silent);
    // A read of exactly what has arrived leaves open whether there is more.
    EXPECT_EQ(client.try_write(bytes_of("ten bytes!")).value(), 10U);
    EXPECT_TRUE(co_await server.readable());
    EXPECT_EQ(server.try_read(into).value(), 10U);
    EXPECT_EQ(server.look_at_peer(), peer_state::silent);
    EXPECT_EQ(client.try_write(bytes_of("x")).value(), 1U);
    EXPECT_TRUE(co_await becomes(server, peer_state::sending)) << "the next bytes are announced";
    EXPECT_EQ(server.try_read(into).value(), 1U);
    client.close();
    EXPECT_TRUE(co_await becomes(server, peer_state::gone));
    EXPECT_EQ((co_await server.read(into)).value(), 0U) << "the end can still be read";
    server.close();
    EXPECT_EQ(server.look_at_peer(), peer_state::gone);
  }());
}

TEST_P(stream_test, a_task_that_always_finds_bytes_lets_others_run) {
  run([]() -> task<> {
    auto both = stream::pair();
    const std::vector<std::byte> much(100'000);
    (void)both->first.try_write(much);
    int turns = 0;
    bool ended = false;
    co_await tare::with_scope([&](tare::scope& s) -> task<> {
      s.spawn([](stream& from, bool& done) -> task<> {
        std::array<std::byte, 1> array{};
        for (int i = 0; i < 10'000; ++i) EXPECT_EQ((co_await from.read(array)).value(), 1U);
        done = true;
      }(both->second, ended));
      while (!ended) {
        ++turns;
        co_await tare::yield();
      }
    });
    EXPECT_GE(turns, 50);
  }());
}

TEST_P(stream_test, adopt_leaves_what_it_cannot_take) {
  run([]() -> task<> {
    EXPECT_EQ(stream::adopt(-1).error(), std::errc::bad_file_descriptor);
    co_return;
  }());
}

TEST_P(stream_test, leases_are_consumed_bit_by_bit) {
  run([]() -> task<> {
    auto both = stream::pair();
    (void)co_await both->first.write(bytes_of("abcdef"));
    auto got = (co_await both->second.read()).value();
    got.consume(2);
    EXPECT_EQ(text_of(got.bytes()), "cdef");
    lease moved = std::move(got);
    EXPECT_TRUE(got.empty());  // NOLINT(bugprone-use-after-move): what it is then is promised
    moved.consume(3);
    EXPECT_EQ(text_of(moved.bytes()), "f");
    moved.consume(100);
    EXPECT_TRUE(moved.empty());
  }());
}

TEST_P(stream_test, without_memory_for_a_buffer_a_read_says_so) {
  auto chosen = options();
  chosen.frame_limit = 1'000'000;
  run(
      []() -> task<> {
        std::vector<lease> held;
        std::vector<stream> streams;
        std::error_code error;
        for (int i = 0; i < 300 && !error; ++i) {
          auto both = stream::pair();
          if (!both) {
            error = both.error();
            break;
          }
          (void)both->first.try_write(bytes_of("x"));
          auto got = co_await both->second.read();
          if (got) {
            held.push_back(std::move(*got));
          } else {
            error = got.error();
          }
          streams.push_back(std::move(both->first));
          streams.push_back(std::move(both->second));
        }
        EXPECT_EQ(error, std::errc::not_enough_memory);
        EXPECT_GT(held.size(), 3U);
      }(),
      chosen);
}

}  // namespace
