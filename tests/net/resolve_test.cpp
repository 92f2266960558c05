// Resolves names with the test's own name server on loopback.

#include "net/on_reactors.hpp"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace {

using namespace tare::testing;
using tare::task;
using tare::net::endpoint;
using tare::net::listener;
using tare::net::resolve;
using tare::net::udp_socket;

class resolve_test : public on_reactors {};
TARE_ON_ALL_REACTORS(resolve_test);

/// Answers queries: "two.test" has an address of each family, queries for "silent.test" get no reply, and other names
/// do not exist.
task<> serve_names(udp_socket& socket) {
  std::array<std::byte, 512> query{};
  for (;;) {
    const auto got = co_await socket.receive_from(query);
    if (!got || got->size < 17) continue;
    std::vector<std::byte> response(query.begin(), query.begin() + static_cast<std::ptrdiff_t>(got->size));
    std::string name;
    std::size_t at = 12;
    while (response[at] != std::byte{0}) {
      const auto length = static_cast<std::size_t>(response[at]);
      name += text_of(std::span(response).subspan(at + 1, length)) + ".";
      at += length + 1;
    }
    const auto type = static_cast<int>(response[at + 2]);
    response.resize(at + 5);  // without the query's additional records
    if (name == "silent.test.") continue;
    const bool known = name == "two.test." && (type == 1 || type == 28);
    response[2] = std::byte{0x81};
    response[3] = known ? std::byte{0x80} : std::byte{0x83};
    response[7] = known ? std::byte{1} : std::byte{0};
    for (const std::size_t count : {8U, 9U, 10U, 11U}) response[count] = std::byte{0};
    if (known) {
      const auto add = [&](std::initializer_list<int> bytes) {
        for (const int byte : bytes) response.push_back(static_cast<std::byte>(byte));
      };
      add({0xC0, 12, 0, type, 0, 1, 0, 0, 0, 60});
      if (type == 1) {
        add({0, 4, 127, 0, 0, 7});
      } else {
        add({0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1});
      }
    }
    EXPECT_TRUE(co_await socket.send_to(response, got->from));
  }
}

/// Runs the body with options that use the test's server.
void with_server(tare::runtime_options chosen, task<> (*body)(tare::net::resolve_options)) {
  tare::runtime rt(std::move(chosen));
  rt.run([](task<> (*inner)(tare::net::resolve_options)) -> task<> {
    auto socket = udp_socket::bind(endpoint::loopback(0)).value();
    const tare::net::resolve_options options{.servers = socket.local()->to_string(), .timeout = 100ms, .tries = 2};
    co_await tare::with_scope([&](tare::scope& s) -> task<> {
      s.spawn(serve_names(socket));
      EXPECT_TRUE(co_await tare::timeout(20s, inner(options)));
      s.cancel();
    });
  }(body));
}

TEST_P(resolve_test, finds_the_addresses_of_both_families) {
  with_server(options(), [](tare::net::resolve_options wanted) -> task<> {
    const auto found = co_await resolve("two.test", "8080", wanted);
    EXPECT_TRUE(found.has_value()) << found.error().message();
    std::vector<std::string> texts;
    for (const endpoint& each : *found) texts.push_back(each.to_string());
    EXPECT_THAT(texts, ::testing::UnorderedElementsAre("127.0.0.7:8080", "[::1]:8080"));
  });
}

TEST_P(resolve_test, tells_what_went_wrong) {
  with_server(options(), [](tare::net::resolve_options wanted) -> task<> {
    const auto unknown = co_await resolve("unknown.test", "80", wanted);
    EXPECT_EQ(unknown.error(), std::errc::host_unreachable);
    EXPECT_EQ(unknown.error().category(), tare::net::resolve_category());
    EXPECT_FALSE(unknown.error().message().empty());
    EXPECT_EQ((co_await resolve("silent.test", "80", wanted)).error(), std::errc::timed_out);
    EXPECT_FALSE((co_await resolve("two.test", "no-such-service", wanted)).has_value());
    EXPECT_FALSE((co_await resolve("", "80", wanted)).has_value());
    EXPECT_FALSE((co_await resolve(std::string("a\0b", 3), "80", wanted)).has_value());
    wanted.servers = "not an address";
    EXPECT_FALSE((co_await resolve("two.test", "80", wanted)).has_value());
  });
}

TEST_P(resolve_test, takes_numbers_as_they_are) {
  run([]() -> task<> {
    // There is no server at this address, so a query would fail.
    const tare::net::resolve_options nobody{.servers = "127.0.0.1:1"};
    const auto numeric = co_await resolve("127.0.0.1", "80", nobody);
    EXPECT_EQ(numeric.value(), std::vector(1, endpoint::loopback(80)));
    EXPECT_EQ((co_await resolve("::1", "80")).value().front().to_string(), "[::1]:80");
    EXPECT_FALSE((co_await resolve("localhost", "80")).value().empty());
  }());
}

TEST_P(resolve_test, others_run_meanwhile_and_a_lookup_can_be_cancelled) {
  with_server(options(), [](tare::net::resolve_options wanted) -> task<> {
    wanted.timeout = 5s;
    const auto begun = tare::now();
    EXPECT_FALSE(co_await tare::timeout(20ms, resolve("silent.test", "80", wanted)));
    EXPECT_LT(tare::now() - begun, 4s);
  });
}

/// A port whose backlog is full, so that connecting waits forever.
struct black_hole {
  black_hole() : fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const endpoint any_port = endpoint::loopback(0);
    EXPECT_EQ(::bind(fd, any_port.data(), any_port.size()), 0);
    EXPECT_EQ(::listen(fd, 0), 0);
    sockaddr_storage address{};
    socklen_t size = sizeof(address);
    EXPECT_EQ(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size), 0);
    at = endpoint::from(reinterpret_cast<sockaddr*>(&address), size);
    for (int& each : waiting) {
      each = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
      (void)::connect(each, at.data(), at.size());
    }
  }
  ~black_hole() {
    for (const int each : waiting) ::close(each);
    ::close(fd);
  }
  black_hole(const black_hole&) = delete;
  black_hole& operator=(const black_hole&) = delete;

  int fd;
  endpoint at;
  std::array<int, 3> waiting{};
};

TEST_P(resolve_test, connects_to_the_first_that_answers) {
  run([]() -> task<> {
    const black_hole silent;
    auto listening = listener::bind(endpoint::loopback(0)).value();
    const endpoint good = listening.local().value();
    auto gone = listener::bind(endpoint::loopback(0)).value();
    const endpoint refusing = gone.local().value();
    gone.close();

    // g++ 12 cannot construct the lists within an await.
    const std::vector slow{silent.at, silent.at, good};
    const std::vector failing{refusing, refusing, good};
    const std::vector refused{refusing, refusing};
    const std::vector unanswered{silent.at, silent.at};
    const tare::net::connect_options soon{.attempt_delay = 30ms};
    const tare::net::connect_options late{.attempt_delay = 1h};
    const auto begun = tare::now();
    auto made = co_await tare::net::connect(slow, soon);
    EXPECT_EQ(made->peer().value(), good);
    EXPECT_GE(tare::now() - begun, 60ms);
    // After a failure, the next attempt starts without waiting.
    made = co_await tare::net::connect(failing, late);
    EXPECT_EQ(made->peer().value(), good);
    EXPECT_EQ((co_await tare::net::connect(refused)).error(), std::errc::connection_refused);
    EXPECT_FALSE((co_await tare::net::connect(std::vector<endpoint>())).has_value());
    EXPECT_FALSE(co_await tare::timeout(20ms, tare::net::connect(unanswered)));
    const auto port = std::to_string(good.port());
    EXPECT_EQ((co_await tare::net::connect("127.0.0.1", port))->peer().value(), good);
  }());
}

}  // namespace
