// The session tickets that a client stores and offers.

#include "net/tls/ticket_store.hpp"
#include "net/tls_attempt.hpp"

#include <tare/net/tls.hpp>

#include <array>
#include <string>
#include <utility>

namespace {

using namespace tare::testing;
using tare::task;
namespace tls = tare::net::tls;

tls::ticket_store::ticket ticket_of(int version, long age = 0) {
  tls::ticket_store::ticket made(::SSL_SESSION_new());
  ::SSL_SESSION_set_protocol_version(made.get(), version);
  ::SSL_SESSION_set_time(made.get(), ::time(nullptr) - age);
  ::SSL_SESSION_set_timeout(made.get(), 100);
  const std::array<unsigned char, 4> id{1, 2, 3, 4};
  ::SSL_SESSION_set1_id(made.get(), id.data(), id.size());
  return made;
}

TEST(tls_ticket_store, gives_each_once) {
  tls::ticket_store all;
  EXPECT_EQ(all.take("a"), nullptr);
  auto made = ticket_of(TLS1_3_VERSION);
  auto two = ticket_of(TLS1_3_VERSION);
  SSL_SESSION* const newest = two.get();
  all.add("a", std::move(made));
  all.add("a", std::move(two));
  EXPECT_EQ(all.take("b"), nullptr);
  EXPECT_EQ(all.take("a").get(), newest);
  EXPECT_NE(all.take("a"), nullptr);
  EXPECT_EQ(all.take("a"), nullptr);
  EXPECT_EQ(all.servers(), 0U);
}

TEST(tls_ticket_store, drops_those_whose_time_is_over) {
  tls::ticket_store all;
  all.add("a", ticket_of(TLS1_3_VERSION, 50));
  all.add("a", ticket_of(TLS1_3_VERSION, 101));
  EXPECT_NE(all.take("a"), nullptr);
  all.add("a", ticket_of(TLS1_2_VERSION, 101));
  EXPECT_EQ(all.take("a"), nullptr);
  EXPECT_EQ(all.servers(), 0U);
}

TEST(tls_ticket_store, has_bounds) {
  tls::ticket_store all;
  for (int i = 0; i < 1000; ++i) {
    for (int j = 0; j < 10; ++j) all.add("server " + std::to_string(i), ticket_of(TLS1_3_VERSION));
    all.add("often", ticket_of(TLS1_3_VERSION));
  }
  EXPECT_EQ(all.servers(), tls::ticket_store::max_servers);
  EXPECT_EQ(all.take("server 0"), nullptr);
  for (const char* server : {"often", "server 999"}) {
    for (std::size_t i = 0; i < tls::ticket_store::max_tickets_per_server; ++i) EXPECT_NE(all.take(server), nullptr);
    EXPECT_EQ(all.take(server), nullptr);
  }
}

class tls_client_tickets : public ::testing::TestWithParam<bool> {
 protected:
  using protocol = tls::protocol;
  static tls::context client() {
    return tls::context::client(
               {.authorities = ours().certificate, .max_version = GetParam() ? protocol::tls_1_3 : protocol::tls_1_2})
        .value();
  }

  /// Connects to the server and receives something; returns whether the session was resumed.
  static task<bool> connect(const tls::context& of_client, tare::net::listener& listening,
                            const tls::context& of_server) {
    auto plain = co_await tare::net::connect(listening.local().value());
    auto accepted = co_await listening.accept();
    std::string name = "localhost";
    auto [client, server] =
        co_await tare::when_all(tls::stream::connect(std::move(plain.value()), of_client, std::move(name)),
                                tls::stream::accept(std::move(accepted.value()), of_server));
    EXPECT_TRUE(client && server);
    (void)co_await server->write(bytes_of("x"));
    (void)co_await client->read();
    EXPECT_EQ(client->resumed(), server->resumed());
    co_return client->resumed();
  }

  /// The same with a server that disconnects after `bytes` of the ClientHello.
  static task<> fail(const tls::context& of_client, tare::net::listener& listening, bool cancelled) {
    auto plain = co_await tare::net::connect(listening.local().value());
    auto accepted = (co_await listening.accept()).value();
    std::string name = "localhost";
    const auto connecting = [&](tare::scope& s) -> task<> {
      const auto ask = [&](tare::net::stream below) -> task<> {
        const auto made = co_await tls::stream::connect(std::move(below), of_client, std::move(name));
        EXPECT_FALSE(made.has_value());
      };
      s.spawn(ask(std::move(plain.value())));
      (void)co_await accepted.read();
      if (cancelled) s.cancel();
      accepted.close();
      co_return;
    };
    co_await tare::with_scope(connecting);
  }
};
INSTANTIATE_TEST_SUITE_P(of, tls_client_tickets, ::testing::Bool(), [](const ::testing::TestParamInfo<bool>& made) {
  return std::string(made.param ? "tls_1_3" : "tls_1_2");
});

TEST_P(tls_client_tickets, are_of_a_host_and_a_port) {
  const auto all = []() -> task<> {
    auto made = tare::net::listener::bind(tare::net::endpoint::loopback(0)).value();
    auto other = tare::net::listener::bind(tare::net::endpoint::loopback(0)).value();
    const auto of_client = client();
    const auto of_server = server_context();
    EXPECT_FALSE(co_await connect(of_client, made, of_server));
    EXPECT_TRUE(co_await connect(of_client, made, of_server));
    EXPECT_FALSE(co_await connect(of_client, other, of_server));
    for (int i = 0; i < 5; ++i) {
      EXPECT_TRUE(co_await connect(of_client, made, of_server));
      EXPECT_TRUE(co_await connect(of_client, other, of_server));
    }
  };
  tare::run(all());
}

TEST_P(tls_client_tickets, are_dropped_when_a_handshake_that_offers_them_fails) {
  const auto all = []() -> task<> {
    for (const bool cancelled : {false, true}) {
      auto listening = tare::net::listener::bind(tare::net::endpoint::loopback(0)).value();
      const auto of_client = client();
      const auto of_server = server_context();
      EXPECT_FALSE(co_await connect(of_client, listening, of_server));
      // As many times as there are tickets.
      for (int i = 0; i < 2; ++i) co_await fail(of_client, listening, cancelled);
      EXPECT_FALSE(co_await connect(of_client, listening, of_server));
      EXPECT_TRUE(co_await connect(of_client, listening, of_server));
    }
  };
  tare::run(all());
}

}  // namespace
