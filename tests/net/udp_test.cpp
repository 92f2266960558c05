#include "net/on_reactors.hpp"

#include <array>
#include <string>
#include <vector>

namespace {

using namespace tare::testing;
using tare::task;
using tare::net::endpoint;
using tare::net::udp_socket;

class udp_test : public on_reactors {};
TARE_ON_ALL_REACTORS(udp_test);

TEST_P(udp_test, datagrams_keep_their_bounds_and_their_sender) {
  run([]() -> task<> {
    auto socket = udp_socket::bind(endpoint::loopback(0)).value();
    auto other = udp_socket::bind(endpoint::loopback(0)).value();
    const endpoint to = other.local().value();
    for (const char* text : {"first", "", "third, which is longer"})
      EXPECT_TRUE(co_await socket.send_to(bytes_of(text), to));
    std::array<std::byte, 10> into{};
    auto got = (co_await other.receive_from(into)).value();
    EXPECT_EQ(text_of(std::span(into).first(got.size)), "first");
    EXPECT_EQ(got.from, socket.local().value());
    EXPECT_EQ((co_await other.receive_from(into)).value().size, 0U);
    got = (co_await other.receive_from(into)).value();
    EXPECT_EQ(got.size, 10U);
    EXPECT_TRUE(got.truncated);
    EXPECT_FALSE(co_await tare::timeout(2ms, other.receive_from(into)));
  }());
}

TEST_P(udp_test, every_datagram_is_received_although_announced_once) {
  run([]() -> task<> {
    auto socket = udp_socket::bind(endpoint::loopback(0)).value();
    auto other = udp_socket::bind(endpoint::loopback(0)).value();
    EXPECT_TRUE(socket.connect(other.local().value()));
    int received = 0;
    co_await tare::with_scope([&](tare::scope& s) -> task<> {
      s.spawn([](udp_socket& from, int& count) -> task<> {
        std::vector<std::byte> into(2000);
        for (; count < 100; ++count) EXPECT_TRUE(co_await from.receive_from(into));
      }(other, received));
      co_await tare::sleep_for(2ms);
      for (int i = 0; i < 100; ++i) EXPECT_TRUE(co_await socket.send(bytes_of("x")));
    });
    EXPECT_EQ(received, 100);
  }());
}

TEST_P(udp_test, a_refused_datagram_is_reported) {
  run([]() -> task<> {
    auto socket = udp_socket::bind(endpoint::loopback(0)).value();
    auto gone = udp_socket::bind(endpoint::loopback(0)).value();
    EXPECT_TRUE(socket.connect(gone.local().value()));
    gone.close();
    EXPECT_TRUE(co_await socket.send(bytes_of("x")));
    std::array<std::byte, 10> into{};
    EXPECT_EQ((co_await socket.receive_from(into)).error(), std::errc::connection_refused);
  }());
}

}  // namespace
