// Sockets on a system whose calls fail or transfer less than requested (tests/support/faulty_system.hpp).

#include "io/reactor.hpp"
#include "net/on_reactors.hpp"
#include "support/faulty_system.hpp"

#include <cerrno>
#include <deque>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

namespace {

using namespace tare::testing;
using tare::task;
using tare::net::endpoint;
using tare::net::listener;
using tare::net::stream;

std::ptrdiff_t open_descriptors() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), std::filesystem::directory_iterator());
}

class fault_test : public on_reactors {
 protected:
  void TearDown() override { faults::none(); }
};
TARE_ON_ALL_REACTORS(fault_test);

TEST_P(fault_test, a_write_may_be_cut_at_every_byte) {
  run([]() -> task<> {
    auto both = stream::pair().value();
    std::string text;
    for (int i = 0; i < 300; ++i) text += static_cast<char>('!' + i % 90);
    const std::vector<std::span<const std::byte>> pieces{
        bytes_of(text).first(1), bytes_of(text).subspan(1, 99), {}, bytes_of(text).subspan(100)};
    for (int cut = 1; cut < 300; ++cut) {
      for (const bool several : {false, true}) {
        faults::script(call::send, {cut, -EINTR, 1});
        const auto written = several ? co_await both.first.write(pieces) : co_await both.first.write(bytes_of(text));
        EXPECT_TRUE(written.has_value());
        std::string got;
        while (got.size() < text.size()) got += text_of((co_await both.second.read()).value().bytes());
        EXPECT_TRUE(got == text) << "cut at " << cut;
      }
    }
  }());
}

TEST_P(fault_test, errors_are_given_as_they_are) {
  run([]() -> task<> {
    for (const int error : {ECONNRESET, EPIPE, ENOBUFS, ETIMEDOUT}) {
      auto both = stream::pair().value();
      faults::script(call::send, {3, -error});
      EXPECT_EQ((co_await both.first.write(bytes_of("abcdef"))).error().value(), error);
      EXPECT_EQ(text_of((co_await both.second.read())->bytes()), "abc");
      (void)co_await both.first.write(bytes_of("x"));
      faults::script(call::recv, {-EINTR, -error});
      EXPECT_EQ((co_await both.second.read()).error().value(), error);
    }
    for (const int error : {EMFILE, ENFILE, ENOBUFS, ENOMEM}) {
      faults::script(call::socket, {-error, -error});
      EXPECT_EQ(listener::bind(endpoint::loopback(0)).error().value(), error);
      EXPECT_EQ((co_await tare::net::connect(endpoint::loopback(1))).error().value(), error);
    }
    faults::none();
    auto listening = listener::bind(endpoint::loopback(0)).value();
    for (const int error : {ECONNREFUSED, ETIMEDOUT, ENETUNREACH}) {
      faults::script(call::connect, {-error});
      EXPECT_EQ((co_await tare::net::connect(listening.local().value())).error().value(), error);
    }
    faults::script(call::connect, {-EINTR});
    EXPECT_TRUE((co_await tare::net::connect(listening.local().value())).has_value());
  }());
}

TEST_P(fault_test, accepting_survives_what_may_happen_to_it) {
  run([]() -> task<> {
    auto listening = listener::bind(endpoint::loopback(0)).value();
    const endpoint at = listening.local().value();
    // Errors that concern the peer are skipped immediately.
    for (const int error : {ECONNABORTED, EPROTO, EINTR, EPERM, ENETDOWN, EHOSTUNREACH}) {
      auto client = co_await tare::net::connect(at);
      faults::script(call::accept, {-error, -error});
      EXPECT_TRUE((co_await listening.accept()).has_value());
    }
    // If resources run out, the listener pauses.
    for (const int error : {EMFILE, ENFILE, ENOBUFS, ENOMEM}) {
      auto client = co_await tare::net::connect(at);
      faults::script(call::accept, {-error});
      const auto begun = tare::now();
      EXPECT_TRUE((co_await listening.accept()).has_value());
      EXPECT_GE(tare::now() - begun, listener::accept_pause / 2);
    }
    // A paused listener can be closed or destroyed.
    faults::script(call::accept, std::deque<int>(1000, -EMFILE));
    auto client = co_await tare::net::connect(at);
    EXPECT_FALSE(co_await tare::timeout(5ms, listening.accept()));
    listening.close();
  }());
}

/// Sends `text` in writes of odd sizes. False if the connection broke.
task<bool> send(stream& to, const std::string& text, std::mt19937& random) {
  std::span<const std::byte> left = bytes_of(text);
  while (!left.empty()) {
    const auto now = left.first(std::min<std::size_t>(left.size(), random() % 5000 + 1));
    const std::vector<std::span<const std::byte>> pieces{now.first(now.size() / 3), now.subspan(now.size() / 3)};
    const auto written = random() % 2 == 0 ? co_await to.write(now) : co_await to.write(pieces);
    if (!written) co_return false;
    left = left.subspan(now.size());
  }
  co_return to.shutdown_write().has_value();
}

/// What arrived before the connection failed or ended.
task<std::string> receive(stream& from) {
  std::string all;
  for (;;) {
    auto got = co_await from.read();
    if (!got || got->empty()) co_return all;
    all += text_of(got->bytes());
  }
}

task<> converse(endpoint at, listener& listening, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::string text(random() % 100'000 + 1, ' ');
  for (char& each : text) each = static_cast<char>(random());
  const auto accept_and_read = [](listener& from) -> task<std::string> {
    auto server = co_await from.accept();
    if (!server) co_return "";
    co_return co_await receive(*server);
  };
  const auto connect_and_write = [](endpoint to, const std::string& what, std::mt19937& sizes) -> task<bool> {
    auto client = co_await tare::net::connect(to);
    // Not `client && co_await ...`: g++ 12 evaluates the await even if the left operand is false.
    if (!client) co_return false;
    co_return co_await send(*client, what, sizes);
  };
  // If the client does not get as far as connecting, the accept would wait forever.
  const auto both =
      co_await tare::timeout(300ms, tare::when_all(accept_and_read(listening), connect_and_write(at, text, random)));
  if (!both) co_return;
  const auto& [got, sent] = *both;
  EXPECT_TRUE(text.starts_with(got)) << "seed " << seed;
  (void)sent;
}

TEST_P(fault_test, whatever_happens_bytes_are_right_and_nothing_leaks) {
  const std::ptrdiff_t before = open_descriptors();
  run([]() -> task<> {
    unsigned injected = 0;
    for (std::uint32_t seed = 1; seed <= 40; ++seed) {
      auto listening = listener::bind(endpoint::loopback(0)).value();
      faults::at_random(seed, 20);
      co_await converse(listening.local().value(), listening, seed);
      injected += faults::count();
      faults::none();
    }
    EXPECT_GT(injected, 20U);
    co_await tare::sleep_for(5ms);
    EXPECT_EQ(tare::detail::reactor::here().value()->slots().size(), 0U);
  }());
  EXPECT_EQ(open_descriptors(), before);
}

TEST_P(fault_test, without_errors_everything_arrives) {
  run([]() -> task<> {
    for (std::uint32_t seed = 1; seed <= 10; ++seed) {
      auto both = stream::pair().value();
      std::mt19937 random(seed);
      std::string text(200'000, ' ');
      for (char& each : text) each = static_cast<char>(random());
      std::deque<int> short_ones;
      for (int i = 0; i < 500; ++i) short_ones.push_back(i % 7 == 0 ? -EINTR : static_cast<int>(random() % 3000 + 1));
      faults::script(call::send, short_ones);
      auto [sent, got] = co_await tare::when_all(send(both.first, text, random), receive(both.second));
      EXPECT_TRUE(sent);
      EXPECT_TRUE(got == text);
      faults::none();
    }
  }());
}

}  // namespace
