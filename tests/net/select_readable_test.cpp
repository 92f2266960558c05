// Readiness of streams as arms of a select, in every state: ready, ready later, closed, expired, used by another task,
// cancelled, and lost to another arm.

#include "net/on_reactors.hpp"

#include <tare/net/idle.hpp>
#include <tare/select.hpp>

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

namespace {

using namespace tare::testing;
using tare::task;
using tare::net::stream;

class select_readable : public on_reactors {
 protected:
  static std::error_code error_of(const tare::net::result<void>& got) { return got ? std::error_code() : got.error(); }
  static task<> send_after(tare::net::stream& to, std::string text, std::chrono::milliseconds pause) {
    co_await tare::sleep_for(pause);
    EXPECT_TRUE(co_await to.write(bytes_of(text)));
  }
  static task<> set_after(tare::event& event, std::chrono::milliseconds pause) {
    co_await tare::sleep_for(pause);
    event.set();
  }
  static task<std::string> read_some(stream& from) {
    auto got = co_await from.read();
    co_return got ? text_of(got->bytes()) : got.error().message();
  }
};
TARE_ON_ALL_REACTORS(select_readable);

TEST_P(select_readable, is_chosen_when_bytes_arrive_or_have_arrived) {
  run([]() -> task<> {
    auto [client, server] = co_await connect_loopback();
    tare::event other;
    for (const auto pause : {0ms, 2ms}) {
      auto waits = [](stream& from, tare::event& stop) -> task<> {
        const auto got = co_await tare::select(stop.wait(), from.readable());
        EXPECT_EQ(got.index(), 1U);
        EXPECT_EQ(error_of(std::get<1>(got)), std::error_code());
        EXPECT_EQ(co_await read_some(from), "hello");
      };
      co_await tare::when_all(waits(server, other), send_after(client, "hello", pause));
    }
    // Now they have arrived and have been reported.
    EXPECT_TRUE(co_await client.write(bytes_of("again")));
    EXPECT_TRUE(co_await server.readable());
    const auto got = co_await tare::select(other.wait(), server.readable());
    EXPECT_EQ(got.index(), 1U);
    EXPECT_EQ(co_await read_some(server), "again");
  }());
}

TEST_P(select_readable, loses_without_having_read) {
  run([]() -> task<> {
    auto [client, server] = co_await connect_loopback();
    tare::event other;
    auto waits = [](stream& from, tare::event& stop) -> task<> {
      const auto got = co_await tare::select(stop.wait(), from.readable());
      EXPECT_EQ(got.index(), 0U);
    };
    co_await tare::when_all(waits(server, other), set_after(other, 2ms));
    // The descriptor is free for other waits, and has what has arrived since.
    co_await tare::when_all(send_after(client, "later", 1ms),
                            [](stream& from) -> task<> { EXPECT_EQ(co_await read_some(from), "later"); }(server));
  }());
}

TEST_P(select_readable, both_may_become_ready_in_one_step) {
  run([]() -> task<> {
    auto [client, server] = co_await connect_loopback();
    for (int round = 0; round < 50; ++round) {
      tare::event other;
      auto waits = [](stream& from, tare::event& stop) -> task<> {
        (void)co_await tare::select(stop.wait(), from.readable());
        EXPECT_EQ(co_await read_some(from), "x");
      };
      auto ends = [](stream& to, tare::event& stop) -> task<> {
        co_await tare::yield();
        EXPECT_TRUE(co_await to.write(bytes_of("x")));
        stop.set();
      };
      co_await tare::when_all(waits(server, other), ends(client, other));
    }
  }());
}

TEST_P(select_readable, reports_the_end_and_a_passed_deadline) {
  run([]() -> task<> {
    auto [client, server] = co_await connect_loopback();
    tare::event never;
    server.expires_after(5ms);
    auto late = co_await tare::select(never.wait(), server.readable());
    EXPECT_EQ(late.index(), 1U);
    EXPECT_EQ(error_of(std::get<1>(late)), std::errc::timed_out);
    late = co_await tare::select(never.wait(), server.readable());
    EXPECT_EQ(error_of(std::get<1>(late)), std::errc::timed_out);
    server.expires_never();
    client.close();
    const auto ended = co_await tare::select(never.wait(), server.readable());
    EXPECT_EQ(error_of(std::get<1>(ended)), std::error_code());
    EXPECT_EQ(co_await read_some(server), "");
  }());
}

TEST_P(select_readable, ends_when_its_stream_is_closed) {
  run([]() -> task<> {
    auto [client, server] = co_await connect_loopback();
    tare::event never;
    auto closes = [](stream& closed) -> task<> {
      co_await tare::sleep_for(1ms);
      closed.close();
    };
    auto waits = [](stream& from, tare::event& stop) -> task<> {
      const auto got = co_await tare::select(stop.wait(), from.readable());
      EXPECT_EQ(got.index(), 1U);
      EXPECT_EQ(error_of(std::get<1>(got)), std::errc::operation_canceled);
    };
    co_await tare::when_all(waits(server, never), closes(server));
    const auto got = co_await tare::select(never.wait(), server.readable());
    EXPECT_EQ(error_of(std::get<1>(got)), std::errc::bad_file_descriptor);
    // The peer has seen the end.
    EXPECT_EQ(co_await read_some(client), "");
  }());
}

TEST_P(select_readable, of_a_stream_that_another_task_reads_is_refused) {
  run([]() -> task<> {
    auto [client, server] = co_await connect_loopback();
    tare::event never;
    const auto twice = co_await tare::select_in_order(never.wait(), server.readable(), server.readable());
    EXPECT_EQ(twice.index(), 2U);
    EXPECT_EQ(error_of(std::get<2>(twice)), std::errc::device_or_resource_busy);
    auto second = [](stream& from, stream& to, tare::event& stop) -> task<> {
      const auto got = co_await tare::select(stop.wait(), from.readable());
      EXPECT_EQ(error_of(std::get<1>(got)), std::errc::device_or_resource_busy);
      EXPECT_TRUE(co_await to.write(bytes_of("for the first")));
    };
    auto first = [](stream& from) -> task<> { EXPECT_EQ(co_await read_some(from), "for the first"); };
    co_await tare::when_all(first(server), second(server, client, never));
    // And a read while the select waits.
    auto selects = [](stream& from, tare::event& stop) -> task<> {
      const auto got = co_await tare::select(stop.wait(), from.readable());
      EXPECT_EQ(got.index(), 0U);
    };
    auto reads = [](stream& from, tare::event& stop) -> task<> {
      EXPECT_EQ(co_await read_some(from), std::make_error_code(std::errc::device_or_resource_busy).message());
      stop.set();
    };
    co_await tare::when_all(selects(server, never), reads(server, never));
  }());
}

TEST_P(select_readable, has_taken_nothing_when_cancelled) {
  run([]() -> task<> {
    auto [client, server] = co_await connect_loopback();
    tare::event never;
    auto waits = [](stream& from, tare::event& stop) -> task<> {
      (void)co_await tare::select(stop.wait(), from.readable(), tare::sleep_for(1h));
    };
    EXPECT_FALSE(co_await tare::timeout(2ms, waits(server, never)));
    EXPECT_TRUE(co_await client.write(bytes_of("kept")));
    // Cancelled before it begins, with bytes there.
    EXPECT_TRUE(co_await server.readable());
    EXPECT_EQ(co_await read_some(server), "kept");
  }());
}

TEST_P(select_readable, waits_for_room_as_well) {
  run([]() -> task<> {
    auto [client, server] = co_await connect_loopback();
    tare::event never;
    // A new stream accepts bytes.
    auto got = co_await tare::select_in_order(server.readable(), server.writable(), never.wait());
    EXPECT_EQ(got.index(), 1U);
    const std::string much(1U << 20U, 'x');
    std::size_t sent = 0;
    for (auto some = server.try_write(bytes_of(much)); some; some = server.try_write(bytes_of(much))) sent += *some;
    auto reads = [](stream& from, std::size_t size) -> task<> {
      co_await tare::sleep_for(1ms);
      while (size != 0) {
        const auto piece = co_await from.read();
        EXPECT_TRUE(piece && !piece->empty());
        if (!piece || piece->empty()) co_return;
        size -= piece->size();
      }
    };
    auto waits = [](stream& to, tare::event& stop) -> task<> {
      const auto room = co_await tare::select_in_order(to.readable(), to.writable(), stop.wait());
      EXPECT_EQ(room.index(), 1U);
    };
    co_await tare::when_all(reads(client, sent), waits(server, never));
  }());
}

/// What may happen to a stream while a select waits for it.
enum class ending : std::uint8_t { bytes, end, reset, closed, closed_elsewhere, released, expired, idle_expired };

void happen(ending what, tare::net::stream& peer, tare::net::stream& waited) {
  switch (what) {
    case ending::bytes:
      EXPECT_TRUE(peer.try_write(bytes_of("x")));
      return;
    case ending::end:
      EXPECT_TRUE(peer.shutdown_write());
      return;
    case ending::reset: {
      const linger at_once{.l_onoff = 1, .l_linger = 0};
      EXPECT_EQ(::setsockopt(peer.native_handle(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
      peer.close();
      return;
    }
    case ending::closed:
      waited.close();
      return;
    case ending::closed_elsewhere:
      std::thread([&waited] { waited.close(); }).join();
      return;
    case ending::released: {
      const int descriptor = waited.release();
      EXPECT_EQ(::close(descriptor), 0);
      return;
    }
    case ending::expired:
      waited.expires_after(1ms);
      return;
    case ending::idle_expired:
      waited.expires_after(1h);
      EXPECT_EQ(tare::net::expire_idle(10), 1U);
  }
}

TEST_P(select_readable, ends_once_whatever_happens_to_its_stream) {
  const std::map<ending, std::error_code> outcomes{
      {ending::bytes, {}},
      {ending::end, {}},
      {ending::reset, {}},
      {ending::closed, std::make_error_code(std::errc::operation_canceled)},
      {ending::closed_elsewhere, std::make_error_code(std::errc::operation_canceled)},
      {ending::released, std::make_error_code(std::errc::operation_canceled)},
      {ending::expired, std::make_error_code(std::errc::timed_out)},
      {ending::idle_expired, std::make_error_code(std::errc::timed_out)},
  };
  for (const auto& [what, outcome] : outcomes) {
    // The other arm is ready in the same step, or never.
    for (const bool other_too : {false, true}) {
      SCOPED_TRACE(std::to_string(static_cast<int>(what)) + (other_too ? ", and the other arm" : ""));
      run([](ending how, std::error_code expected, bool both) -> task<> {
        auto [client, server] = co_await connect_loopback();
        tare::event other;
        auto waits = [](stream& from, tare::event& stop, std::error_code wanted) -> task<> {
          const auto got = co_await tare::select(stop.wait(), from.readable());
          if (got.index() == 1) {
            EXPECT_EQ(error_of(std::get<1>(got)), wanted);
          }
        };
        auto ends = [](stream& peer, stream& waited, tare::event& stop, ending by, bool sets) -> task<> {
          co_await tare::sleep_for(1ms);
          happen(by, peer, waited);
          if (sets) stop.set();
        };
        co_await tare::when_all(waits(server, other, expected), ends(client, server, other, how, both));
      }(what, outcome, other_too));
    }
  }
}

TEST_P(select_readable, may_wait_when_its_runtime_ends) {
  tare::runtime rt(options());
  rt.run([]() -> task<> {
    auto [client, server] = co_await connect_loopback();
    tare::spawn([](stream to, stream from) -> task<> {
      (void)co_await tare::select(from.readable(), tare::sleep_for(1h));
      ADD_FAILURE() << "it has not been cancelled" << to.is_open();
    }(std::move(client), std::move(server)));
    co_await tare::sleep_for(1ms);
  }());
}

// One task serves many streams. Each byte is seen, whatever the order in which they arrive.
TEST_P(select_readable, of_many_streams_loses_none) {
  static constexpr std::size_t streams = 20;
  static constexpr std::size_t rounds = 50;
  run([]() -> task<> {
    std::vector<stream> clients;
    std::vector<stream> servers;
    for (std::size_t i = 0; i < streams; ++i) {
      auto made = co_await connect_loopback();
      clients.push_back(std::move(made.client));
      servers.push_back(std::move(made.server));
    }
    auto sends = [](std::vector<stream>& to) -> task<> {
      for (std::size_t i = 0; i < streams * rounds; ++i) {
        EXPECT_TRUE(co_await to[i * 7 % streams].write(bytes_of("y")));
        if (i % 3 == 0) co_await tare::yield();
      }
    };
    auto serves = [](std::vector<stream>& from) -> task<> {
      std::array<std::size_t, streams> got{};
      for (std::size_t all = 0; all < streams * rounds;) {
        std::vector<tare::net::detail::wait_request> requests;
        requests.reserve(from.size());
        for (stream& each : from) requests.push_back(each.readable());
        const auto [which, readable] = co_await tare::select(std::move(requests));
        EXPECT_TRUE(readable);
        const auto bytes = from[which].try_read();
        if (!bytes) continue;
        got[which] += bytes->size();
        all += bytes->size();
      }
      for (const std::size_t each : got) EXPECT_EQ(each, rounds);
    };
    co_await tare::when_all(serves(servers), sends(clients));
  }());
}

}  // namespace
