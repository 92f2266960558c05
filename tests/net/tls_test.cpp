// TLS connections between tare's own ends, and with OpenSSL's client and server.

#include <tare/net/tls.hpp>

#include "net/on_reactors.hpp"
#include "net/tls_contexts.hpp"

#include <openssl/x509_vfy.h>

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace {

using namespace tare::testing;
using tare::task;
using tare::net::endpoint;
using tare::net::listener;
namespace tls = tare::net::tls;

// Functions, like those for the contexts of the two sides.
tls::context system_context() { return tls::context::client().value(); }
tls::context careless_context() { return tls::context::client({.verify = false}).value(); }

struct tls_connection {
  tare::net::result<tls::stream> client;
  tare::net::result<tls::stream> server;
};

task<tls_connection> shake_hands(tls::context of_client, tls::context of_server, std::string_view host = "localhost") {
  std::string name(host);
  auto [client, server] = co_await connect_loopback();
  auto [each, other] = co_await tare::when_all(tls::stream::connect(std::move(client), of_client, std::move(name)),
                                               tls::stream::accept(std::move(server), of_server));
  co_return tls_connection{.client = std::move(each), .server = std::move(other)};
}

task<std::string> read_all(tls::stream& from) {
  std::string all;
  for (;;) {
    auto got = co_await from.read();
    EXPECT_TRUE(got.has_value()) << got.error().message();
    if (!got || got->empty()) co_return all;
    all += text_of(got->bytes());
  }
}

class tls_test : public on_reactors {};
TARE_ON_ALL_REACTORS(tls_test);

TEST_P(tls_test, carries_bytes_both_ways_and_ends) {
  run([]() -> task<> {
    auto [client, server] = co_await shake_hands(client_context(), server_context());
    EXPECT_EQ(client->version(), "TLSv1.3");
    EXPECT_EQ(server->server_name(), "localhost");
    EXPECT_TRUE(co_await client->write(bytes_of("question")));
    std::array<std::byte, 3> into{};
    EXPECT_EQ((co_await server->read(into)).value(), 3U);
    EXPECT_EQ(text_of(into), "que");
    EXPECT_EQ(text_of((co_await server->read())->bytes()), "stion");
    const std::array pieces{bytes_of("an"), bytes_of(""), bytes_of("swer")};
    EXPECT_TRUE(co_await server->write(pieces));
    EXPECT_TRUE(server->shutdown_write());
    EXPECT_EQ(co_await read_all(*client), "answer");
    // The connection is half-closed.
    EXPECT_TRUE(co_await client->write(bytes_of("late")));
    EXPECT_TRUE(client->shutdown_write());
    EXPECT_EQ(co_await read_all(*server), "late");
  }());
}

TEST_P(tls_test, carries_more_than_the_system_buffers_both_ways_at_once) {
  run([]() -> task<> {
    auto [client, server] = co_await shake_hands(client_context(), server_context());
    const std::string much(5'000'000, 'm');
    const auto send = [](tls::stream& to, const std::string& what) -> task<bool> {
      const bool written = (co_await to.write(bytes_of(what))).has_value();
      auto ended = to.shutdown_write();
      while (!ended && ended.error() == std::errc::operation_would_block) {
        co_await tare::sleep_for(1ms);
        ended = to.shutdown_write();
      }
      co_return written&& ended;
    };
    auto [a, b, c, d] =
        co_await tare::when_all(send(*client, much), send(*server, much), read_all(*client), read_all(*server));
    EXPECT_TRUE(a && b);
    EXPECT_TRUE(c == much && d == much);
  }());
}

TEST_P(tls_test, a_client_trusts_nobody_else) {
  run([]() -> task<> {
    // The system does not know the authority.
    auto unknown = co_await shake_hands(system_context(), server_context());
    EXPECT_EQ(unknown.client.error(),
              (std::error_code(X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, tls::certificate_category())))
        << unknown.client.error().message();
    EXPECT_FALSE(unknown.server.has_value());
    // The authority is known, but the certificate is for another host.
    auto other = co_await shake_hands(client_context(), server_context(), "example.org");
    EXPECT_EQ(other.client.error(), (std::error_code(X509_V_ERR_HOSTNAME_MISMATCH, tls::certificate_category())));
    auto address = co_await shake_hands(client_context(), server_context(), "127.0.0.2");
    EXPECT_EQ(address.client.error(), (std::error_code(X509_V_ERR_IP_ADDRESS_MISMATCH, tls::certificate_category())));
    // Verified by address, and by a client that does not verify.
    auto itself = co_await shake_hands(client_context(), server_context(), "127.0.0.1");
    EXPECT_TRUE(itself.client);
    auto anybody = co_await shake_hands(careless_context(), server_context(), "example.org");
    EXPECT_TRUE(anybody.client);
  }());
}

/// Forwards what one side sends, but only the first `first` bytes until `rest` is set.
task<> relay(tare::net::stream& from, tare::net::stream& to, std::size_t first, tare::event& rest) {
  auto got = co_await from.read();
  if (!got) co_return;
  EXPECT_GT(got->size(), first);
  EXPECT_TRUE(co_await to.write(got->bytes().first(first)));
  co_await rest.wait();
  EXPECT_TRUE(co_await to.write(got->bytes().subspan(first)));
}

TEST_P(tls_test, waits_for_whole_records) {
  run([]() -> task<> {
    auto [outside, one_end] = co_await connect_loopback();
    auto [other_end, inside] = co_await connect_loopback();
    const auto shake = [](tare::net::stream below, bool server) -> task<tls::stream> {
      const auto context = server ? server_context() : client_context();
      std::string name = "localhost";
      if (server) {
        auto accepted = co_await tls::stream::accept(std::move(below), context);
        co_return std::move(accepted).value();
      }
      auto connected = co_await tls::stream::connect(std::move(below), context, std::move(name));
      co_return std::move(connected).value();
    };
    const auto pass = [](tare::net::stream& from, tare::net::stream& to) -> task<> {
      for (;;) {
        auto got = co_await from.read();
        if (!got || got->empty()) break;
        const auto passed = co_await to.write(got->bytes());
        if (!passed) break;
      }
      (void)to.shutdown_write();
    };
    std::optional<tls::stream> client;
    std::optional<tls::stream> server;
    const auto both = [&](tare::scope& s) -> task<> {
      s.spawn(pass(one_end, other_end));
      s.spawn(pass(other_end, one_end));
      auto [a, b] = co_await tare::when_all(shake(std::move(outside), false), shake(std::move(inside), true));
      client = std::move(a);
      server = std::move(b);
      s.cancel();
    };
    co_await tare::with_scope(both);
    EXPECT_EQ(server->try_read().error(), std::errc::operation_would_block);

    tare::event rest;
    const auto in_two = [&](tare::scope& s) -> task<> {
      s.spawn(relay(one_end, other_end, 9, rest));
      EXPECT_TRUE(co_await client->write(bytes_of("a question")));
      EXPECT_TRUE(co_await server->readable());
      EXPECT_EQ(server->try_read().error(), std::errc::operation_would_block);
      // A partial record inside OpenSSL is not readable: waiting for more must really wait.
      auto again = co_await tare::timeout(50ms, server->readable());
      EXPECT_FALSE(again.has_value());
      rest.set();
      EXPECT_TRUE(co_await server->readable());
      auto got = server->try_read();
      EXPECT_EQ(text_of(got.value().bytes()), "a question");
    };
    co_await tare::with_scope(in_two);

    // What OpenSSL has decrypted can be read although the system has nothing more.
    const auto rest_of_it = [&](tare::scope& s) -> task<> {
      s.spawn(pass(one_end, other_end));
      EXPECT_EQ(client->try_write(bytes_of("more")).value(), 4U);
      std::array<std::byte, 2> into{};
      EXPECT_EQ((co_await server->read(into)).value(), 2U);
      EXPECT_TRUE(co_await server->readable());
      auto got = server->try_read();
      EXPECT_EQ(text_of(got.value().bytes()), "re");
      client->close();
      EXPECT_TRUE(co_await server->readable());
      EXPECT_FALSE(server->try_read().has_value());
      s.cancel();
    };
    co_await tare::with_scope(rest_of_it);
  }());
}

TEST_P(tls_test, agrees_on_a_protocol) {
  run([]() -> task<> {
    // g++ 12 cannot construct the lists within an await.
    const auto knows_two = client_context({"h2", "http/1.1"});
    const auto knows_another = client_context({"smtp"});
    const auto knows_http = server_context({"http/1.1"});
    auto [client, server] = co_await shake_hands(knows_two, knows_http);
    EXPECT_EQ(client->alpn(), "http/1.1");
    EXPECT_EQ(server->alpn(), "http/1.1");
    auto none = co_await shake_hands(client_context(), knows_http);
    EXPECT_EQ(none.server->alpn(), "");
    auto wrong = co_await shake_hands(knows_another, knows_http);
    EXPECT_FALSE(wrong.client || wrong.server);
  }());
}

TEST_P(tls_test, a_client_that_comes_back_resumes) {
  run([]() -> task<> {
    const auto of_client = client_context();
    const auto of_server = server_context();
    auto listening = listener::bind(endpoint::loopback(0)).value();
    for (const bool again : {false, true, true}) {
      // On the same port, because another port may belong to another server.
      auto plain = co_await tare::net::connect(listening.local().value());
      auto accepted = co_await listening.accept();
      auto [client, server] =
          co_await tare::when_all(tls::stream::connect(std::move(plain.value()), of_client, std::string("localhost")),
                                  tls::stream::accept(std::move(accepted.value()), of_server));
      EXPECT_EQ(client->resumed(), again);
      EXPECT_TRUE(co_await server->write(bytes_of("the ticket comes with this")));
      EXPECT_TRUE((co_await client->read()).has_value());
    }
  }());
}

TEST_P(tls_test, certificates_of_clients_can_be_asked_for) {
  run([]() -> task<> {
    const auto strict =
        tls::context::server(
            {.certificate = ours().certificate, .key = ours().key, .client_authorities = ours().certificate})
            .value();
    const auto known =
        tls::context::client({.authorities = ours().certificate, .certificate = ours().certificate, .key = ours().key})
            .value();
    EXPECT_TRUE((co_await shake_hands(known, strict)).server);
    EXPECT_FALSE((co_await shake_hands(client_context(), strict)).server);
  }());
}

TEST_P(tls_test, an_end_without_close_notify_is_an_error) {
  run([]() -> task<> {
    auto [client, server] = co_await shake_hands(client_context(), server_context());
    // Read everything first, because a reset would discard what was sent.
    EXPECT_TRUE(co_await server->write(bytes_of("x")));
    EXPECT_TRUE((co_await client->read()).has_value());
    EXPECT_TRUE(co_await client->write(bytes_of("half a mess")));
    client->close();
    EXPECT_EQ(text_of((co_await server->read())->bytes()), "half a mess");
    EXPECT_EQ((co_await server->read()).error(), std::errc::connection_aborted);
    EXPECT_EQ((co_await client->read()).error(), std::errc::bad_file_descriptor);
    // Something that is not TLS at all.
    auto [plain, other] = co_await connect_loopback();
    EXPECT_TRUE(co_await plain.write(bytes_of("GET / HTTP/1.1\r\n\r\n")));
    auto refused = co_await tls::stream::accept(std::move(other), server_context());
    EXPECT_EQ(refused.error(), std::errc::protocol_error);
  }());
}

TEST_P(tls_test, waits_can_be_cancelled_and_limited) {
  run([]() -> task<> {
    auto [client, server] = co_await shake_hands(client_context(), server_context());
    for (int i = 0; i < 10; ++i) EXPECT_FALSE(co_await tare::timeout(1ms, server->read()));
    EXPECT_TRUE(co_await client->write(bytes_of("still here")));
    EXPECT_EQ(text_of((co_await server->read())->bytes()), "still here");
    server->expires_after(10ms);
    EXPECT_EQ((co_await server->read()).error(), std::errc::timed_out);
    // A client that sends nothing.
    auto [silent, other] = co_await connect_loopback();
    other.expires_after(10ms);
    EXPECT_EQ((co_await tls::stream::accept(std::move(other), server_context())).error(), std::errc::timed_out);
  }());
}

TEST(tls_context, tells_what_is_wrong_with_its_files) {
  EXPECT_EQ(tls::context::server({.certificate = "/none", .key = "/none"}).error(),
            std::errc::no_such_file_or_directory);
  EXPECT_FALSE(tls::context::server({.certificate = ours().certificate, .key = ours().certificate}).has_value());
  EXPECT_FALSE(tls::context::client({.authorities = "/none"}).has_value());
}

TEST(tls_context, names_the_file_that_is_missing) {
  const std::string certificate = ours().certificate;
  const std::string key = ours().key;
  const auto message_of = [](const auto& made) { return made ? "made" : made.error().message(); };
  const std::string text = "/none/x.pem: No such file or directory";
  EXPECT_EQ(message_of(tls::context::server({.certificate = "/none/x.pem", .key = key})), text);
  EXPECT_EQ(message_of(tls::context::server({.certificate = certificate, .key = "/none/x.pem"})), text);
  const auto trusting =
      tls::context::server({.certificate = certificate, .key = key, .client_authorities = "/none/x.pem"});
  EXPECT_EQ(message_of(trusting).find("/none/x.pem: "), 0U) << message_of(trusting);
  const auto client = tls::context::client({.authorities = "/none/x.pem"});
  EXPECT_EQ(message_of(client).find("/none/x.pem: "), 0U) << message_of(client);
  EXPECT_EQ(message_of(tls::context::client({.certificate = "/none/x.pem", .key = key})), text);
  // A file that does not contain a key.
  const auto no_key = tls::context::server({.certificate = certificate, .key = certificate});
  EXPECT_EQ(no_key.error().file(), certificate);
}

/// A process running the openssl command; the test writes its input.
class openssl {
 public:
  explicit openssl(std::vector<std::string> arguments, const std::string& input = {}) {
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, ends[0], 0);
    ::posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    ::posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    arguments.insert(arguments.begin(), "openssl");
    std::vector<char*> all;
    for (std::string& each : arguments) all.push_back(each.data());
    all.push_back(nullptr);
    EXPECT_EQ(::posix_spawnp(&child_, "openssl", &actions, nullptr, all.data(), environ), 0);
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(ends[0]);
    input_ = ends[1];
    if (!input.empty()) {
      EXPECT_EQ(::write(input_, input.data(), input.size()), static_cast<ssize_t>(input.size()));
    }
  }
  ~openssl() {
    ::close(input_);
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
  }
  openssl(const openssl&) = delete;
  openssl& operator=(const openssl&) = delete;

 private:
  pid_t child_ = -1;
  int input_ = -1;
};

TEST_P(tls_test, serves_openssl_s_client) {
  run([]() -> task<> {
    auto listening = listener::bind(endpoint::loopback(0)).value();
    for (const char* version : {"-tls1_3", "-tls1_2"}) {
      const openssl client({"s_client", "-quiet", version, "-servername", "localhost", "-verify_return_error",
                            "-CAfile", ours().certificate, "-connect", listening.local()->to_string()},
                           "from openssl\n");
      auto plain = co_await listening.accept();
      auto s = co_await tls::stream::accept(std::move(*plain), server_context());
      EXPECT_TRUE(s.has_value()) << s.error().message();
      EXPECT_EQ(text_of((co_await s->read())->bytes()), "from openssl\n");
    }
    const openssl old(
        {"s_client", "-quiet", "-tls1_1", "-cipher", "ALL:@SECLEVEL=0", "-connect", listening.local()->to_string()});
    auto plain = co_await listening.accept();
    EXPECT_FALSE((co_await tls::stream::accept(std::move(*plain), server_context())).has_value());
  }());
}

TEST_P(tls_test, talks_to_openssl_s_server) {
  run([]() -> task<> {
    // A port that was free a moment ago.
    std::uint16_t port = 0;
    {
      auto probe = listener::bind(endpoint::loopback(0)).value();
      port = probe.local()->port();
    }
    const openssl server({"s_server", "-quiet", "-rev", "-cert", ours().certificate, "-key", ours().key, "-accept",
                          "127.0.0.1:" + std::to_string(port)});
    auto plain = co_await tare::net::connect(endpoint::loopback(port));
    for (int i = 0; i < 500 && !plain; ++i) {
      co_await tare::sleep_for(10ms);
      plain = co_await tare::net::connect(endpoint::loopback(port));
    }
    auto s = co_await tls::stream::connect(std::move(*plain), client_context(), "localhost");
    EXPECT_TRUE(s.has_value()) << s.error().message();
    EXPECT_TRUE(co_await s->write(bytes_of("olleh\n")));
    EXPECT_EQ(text_of((co_await s->read())->bytes()), "hello\n");
  }());
}

}  // namespace
