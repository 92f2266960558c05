// Writes that are cancelled: what has been reported as written arrives once and in order, and nothing else does except
// the beginning of the cancelled write.

#include "net/on_reactors.hpp"
#include "net/tls_contexts.hpp"
#include "net/tls_peer.hpp"

#include <tare/net/tls.hpp>

#include <sys/socket.h>

#include <string>
#include <tuple>
#include <vector>

namespace {

using namespace tare::testing;
using tare::task;
namespace tls = tare::net::tls;

enum class behind { write, try_write, vector, shutdown, close };

std::string patterned(std::size_t size, char first) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>(first + static_cast<int>(i * 7 % 24));
  return text;
}

class tls_write_test : public ::testing::TestWithParam<std::tuple<int, behind>> {
 protected:
  static task<tare::net::result<tls::stream>> accept(tare::net::stream below, tls::context with) {
    co_return co_await tls::stream::accept(std::move(below), with);
  }

  static task<tare::net::stream> shake(tare::net::stream wire, tls_peer& peer) {
    for (;;) {
      const std::string flight = peer.step();
      if (!flight.empty()) (void)co_await wire.write(bytes_of(flight));
      if (peer.is_done()) co_return std::move(wire);
      auto got = co_await wire.read();
      if (!got || got->empty()) co_return std::move(wire);
      peer.receive(got->bytes());
    }
  }

  /// Everything that the client reads; `ended` says whether it ended with close_notify.
  static task<std::string> read_all(tare::net::stream& wire, tls_peer& peer, bool& ended) {
    std::string all = peer.read();
    for (;;) {
      auto got = co_await wire.read();
      if (!got || got->empty()) break;
      peer.receive(got->bytes());
      all += peer.read();
    }
    ended = (::SSL_get_shutdown(peer.get()) & SSL_RECEIVED_SHUTDOWN) != 0;
    co_return all;
  }

  /// Writes messages until one is cancelled because the client does not read. Returns the number of messages written
  /// before.
  static task<int> write_until_cut(tls::stream& to, const std::string& message) {
    for (int count = 0; count < 10'000; ++count) {
      const auto written = co_await tare::timeout(3ms, to.write(bytes_of(message)));
      if (!written) co_return count;
      EXPECT_TRUE(*written);
    }
    ADD_FAILURE() << "the system accepts everything";
    co_return 0;
  }

  static task<> one(int version, behind next, std::size_t size) {
    auto [wire, end] = tare::net::stream::pair().value();
    const int little = 20'000;
    EXPECT_EQ(::setsockopt(end.native_handle(), SOL_SOCKET, SO_SNDBUF, &little, sizeof(little)), 0);
    tls_peer peer({.version = version});
    const auto with = server_context();
    auto [made, again] = co_await tare::when_all(accept(std::move(end), with), shake(std::move(wire), peer));
    EXPECT_TRUE(made.has_value());
    tls::stream server = std::move(*made);
    const std::string message = patterned(size, 'a');
    const int whole = co_await write_until_cut(server, message);
    const std::string tail = patterned(30'000, 'A');
    std::string reported;
    bool ended = false;
    const auto go_on = [&](tls::stream& to) -> task<> {
      if (next == behind::write || next == behind::vector) {
        const std::vector<std::span<const std::byte>> pieces{bytes_of(tail).first(1), bytes_of(tail).subspan(1)};
        const auto written = next == behind::write ? co_await to.write(bytes_of(tail)) : co_await to.write(pieces);
        EXPECT_TRUE(written);
        reported = tail;
      }
      if (next == behind::try_write) {
        // Until all of it has been accepted, by either call.
        auto left = bytes_of(tail);
        for (int i = 0; i < 4 && !left.empty(); ++i) {
          const auto taken = to.try_write(left);
          EXPECT_TRUE(taken || taken.error() == std::errc::operation_would_block);
          if (taken) left = left.subspan(*taken);
        }
        const auto written = co_await to.write(left);
        EXPECT_TRUE(written);
        reported = tail;
      }
      if (next != behind::close) {
        auto done = to.shutdown_write();
        for (int i = 0; i < 1000 && !done; ++i) {
          EXPECT_EQ(done.error(), std::errc::operation_would_block);
          co_await tare::sleep_for(1ms);
          done = to.shutdown_write();
        }
        EXPECT_TRUE(done);
        const auto late = co_await to.write(bytes_of(tail));
        EXPECT_EQ(late.error(), std::errc::broken_pipe);
      }
      to.close();
    };
    if (next == behind::try_write) {
      // Nothing can be sent yet, so nothing is reported.
      EXPECT_EQ(server.try_write(bytes_of(tail)).error(), std::errc::operation_would_block);
      EXPECT_EQ(server.try_write(bytes_of(tail)).error(), std::errc::operation_would_block);
    }
    auto [none, read] = co_await tare::when_all(go_on(server), read_all(again, peer, ended));
    std::string expected;
    for (int i = 0; i < whole; ++i) expected += message;
    EXPECT_TRUE(read.starts_with(expected));
    read.erase(0, std::min(expected.size(), read.size()));
    EXPECT_TRUE(read.ends_with(reported)) << read.size() << " bytes after the whole messages";
    read.erase(read.size() - std::min(reported.size(), read.size()));
    EXPECT_TRUE(message.starts_with(read)) << read.size() << " bytes of a message of " << message.size();
    EXPECT_EQ(ended, next != behind::close);
  }
};

TEST_P(tls_write_test, a_cancelled_one_is_followed_by_nothing_of_another) {
  const auto [version, next] = GetParam();
  for (const std::size_t size : {1U, 100U, 5'000U, 16'384U, 16'385U, 20'000U, 33'000U, 100'000U}) {
    SCOPED_TRACE(size);
    tare::run(one(version, next, size));
  }
}

std::string name_of_case(const ::testing::TestParamInfo<std::tuple<int, behind>>& info) {
  constexpr std::array names{"write", "try_write", "vector", "shutdown", "close"};
  return std::string(names.at(static_cast<std::size_t>(std::get<1>(info.param)))) +
         (std::get<0>(info.param) == TLS1_2_VERSION ? "_1_2" : "_1_3");
}
INSTANTIATE_TEST_SUITE_P(then, tls_write_test,
                         ::testing::Combine(::testing::Values(TLS1_2_VERSION, TLS1_3_VERSION),
                                            ::testing::Values(behind::write, behind::try_write, behind::vector,
                                                              behind::shutdown, behind::close)),
                         name_of_case);

}  // namespace
