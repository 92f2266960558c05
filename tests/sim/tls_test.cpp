// TLS over a simulated network, with OpenSSL as a peer that is cut at any byte, stops at any stage, and makes records
// that no correct peer makes.

#include "net/tls/identity.hpp"
#include "sim/on_shards.hpp"
#include "sim/openssl_peer.hpp"

#include <array>
#include <chrono>
#include <functional>
#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;
using namespace tare::testing;  // NOLINT(google-build-using-namespace): the helpers of these tests
using tare::task;
using tare::sim::world;
namespace net = tare::net;
namespace tls = tare::net::tls;

tare::net::endpoint here(std::uint16_t port = 443) { return tare::net::endpoint::loopback(port); }

void with_seeds(std::uint64_t seeds, const std::function<task<>(world&)>& body) {
  (void)server_identity::shared();  // writes files, which a simulation does not
  tare::sim::run_seeds(seeds, {.twice = false}, body);
}

// Conversations.

/// Text both ways, with updates of keys, and the end.
task<> converse_with_taken_keys(world& w, net::stream& by, tls_peer& peer, std::string first) {
  // OpenSSL has sent one record with these keys.
  peer.take_keys(first.empty() ? 0 : 1);
  std::string expected = std::move(first);
  std::string sent;
  for (int i = 0; i < 6; ++i) {
    if (w.random_below(3) == 0) sent += peer.update_keys(w.random_below(2) == 0, 1 + w.random_below(5));
    const std::string text(1 + w.random_below(300), static_cast<char>('a' + i));
    sent += peer.seal(tls_peer::content::application_data, text);
    expected += text;
  }
  sent += peer.seal(tls_peer::content::alert, std::string("\1\0", 2));
  const bool gone = co_await send_cut(w, by, std::move(sent));
  EXPECT_TRUE(gone);
  const std::string wire = co_await read_wire(by);
  EXPECT_EQ(peer.open(wire), expected + "<alert 0>");
}

task<> converse_with_openssl(world& w, net::stream& by, tls_peer& peer, std::string first, std::size_t max_record) {
  std::string expected = std::move(first);
  for (int i = 0; i < 4; ++i) {
    const std::string text(1 + w.random_below(3000), static_cast<char>('a' + i));
    peer.write(text);
    expected += text;
    const bool gone = co_await send_cut(w, by, peer.sent());
    EXPECT_TRUE(gone);
  }
  std::string got = peer.read();
  std::string wire;
  while (got.size() < expected.size()) {
    auto some = co_await by.read();
    EXPECT_TRUE(some && !some->empty()) << got.size() << " of " << expected.size();
    if (!some || some->empty()) co_return;
    wire.append(reinterpret_cast<const char*>(some->bytes().data()), some->size());
    peer.receive(some->bytes());
    got += peer.read();
  }
  for (const std::string& record : records_of(wire)) {
    EXPECT_TRUE(max_record == 0 || record[0] != 23 || record.size() <= max_record + 261) << "larger than agreed";
  }
  EXPECT_EQ(got, expected);
}

TEST(sim_tls, a_server_understands_what_openssl_says_however_it_is_cut) {
  with_seeds(200, [](world& w) -> task<> {
    const bool old = w.random_below(4) == 0;
    tls_peer_options options = wire_peer(false, old ? TLS1_2_VERSION : TLS1_3_VERSION);
    if (w.random_below(3) == 0) options.max_fragment = static_cast<std::uint8_t>(1 + w.random_below(4));
    auto both = co_await make_wire(here());
    auto serving = tare::spawn_handle([near = std::move(both.near), with = wire_server()]() mutable -> task<> {
      auto made = co_await tls::stream::accept(std::move(near), with);
      EXPECT_TRUE(made.has_value());
      if (made) (void)co_await echo_secret(std::move(*made));
    });
    tls_peer peer(options);
    const std::string first = w.random_below(2) == 0 ? std::string() : std::string(1 + w.random_below(100), '1');
    const bool shaken = co_await shake_hands(w, both.far, peer, first);
    EXPECT_TRUE(shaken);
    const std::size_t agreed = options.max_fragment == 0 ? 0 : std::size_t{256} << options.max_fragment;
    if (!old && agreed == 0 && w.random_below(3) != 0) {
      co_await converse_with_taken_keys(w, both.far, peer, first);
    } else {
      co_await converse_with_openssl(w, both.far, peer, first, agreed);
    }
    both.far.close();
    co_await serving;
  });
}

TEST(sim_tls, a_client_understands_what_openssl_says_however_it_is_cut) {
  with_seeds(200, [](world& w) -> task<> {
    auto both = co_await make_wire(here());
    auto asking = tare::spawn_handle([near = std::move(both.near), with = wire_client()]() mutable -> task<> {
      auto made = co_await tls::stream::connect(std::move(near), with, "server");
      EXPECT_TRUE(made.has_value()) << made.error().message();
      if (made) (void)co_await echo_secret(std::move(*made));
    });
    tls_peer peer(wire_peer(true));
    const bool shaken = co_await shake_hands(w, both.far, peer, "");
    EXPECT_TRUE(shaken);
    // The tickets were the first two records with these keys.
    peer.take_keys(2);
    std::string expected;
    std::string sent;
    for (int i = 0; i < 5; ++i) {
      if (w.random_below(3) == 0) sent += peer.update_keys(w.random_below(2) == 0, 1 + w.random_below(5));
      const std::string text(1 + w.random_below(300), static_cast<char>('a' + i));
      sent += peer.seal(tls_peer::content::application_data, text);
      expected += text;
    }
    sent += peer.seal(tls_peer::content::alert, std::string("\1\0", 2));
    (void)co_await send_cut(w, both.far, std::move(sent));
    const std::string wire = co_await read_wire(both.far);
    EXPECT_EQ(peer.open(wire), expected + "<alert 0>");
    both.far.close();
    co_await asking;
  });
}

// Handshakes that do not end.

TEST(sim_tls, an_alert_in_place_of_a_handshake_is_no_handshake) {
  with_seeds(300, [](world& w) -> task<> {
    const bool server = w.random_below(2) == 0;
    const int version = w.random_below(2) == 0 ? TLS1_2_VERSION : TLS1_3_VERSION;
    auto both = co_await make_wire(here());
    bool taken = false;
    auto shaking = tare::spawn_handle([&taken, server, near = std::move(both.near), client = wire_client(),
                                       serving = wire_server()]() mutable -> task<> {
      if (server) {
        const auto made = co_await tls::stream::connect(std::move(near), client, "server");
        taken = made.has_value();
      } else {
        const auto made = co_await tls::stream::accept(std::move(near), serving);
        taken = made.has_value();
      }
    });
    tls_peer peer(wire_peer(server, version));
    std::size_t left = w.random_below(1500);
    bool said_all = false;
    while (!said_all) {
      const std::string flight = peer.step();
      const bool cut = flight.size() > left;
      const auto sent = co_await both.far.write(wire_bytes(std::string_view(flight).substr(0, left)));
      if (!sent || cut) break;
      left -= flight.size();
      said_all = peer.is_done();
      if (!said_all && !co_await feed(both.far, peer)) break;
    }
    const std::string alert("\x15\x03\x03\x00\x02\x01\x00", 7);
    (void)co_await both.far.write(wire_bytes(alert));
    (void)both.far.shutdown_write();
    (void)co_await read_wire(both.far);
    co_await shaking;
    // A server of TLS 1.3 may lack its tickets, which no client needs.
    const bool unknown = server && version == TLS1_3_VERSION && peer.is_done();
    EXPECT_TRUE(taken == said_all || unknown) << version << (server ? " by a server" : " by a client");
  });
}

TEST(sim_tls, a_peer_that_is_refused_is_told_why) {
  with_seeds(60, [](world& w) -> task<> {
    tls_peer_options wrong = wire_peer(false, TLS1_2_VERSION);
    constexpr std::array<const char*, 4> ciphers = {"AES128-SHA", "AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA",
                                                    "ECDHE-ECDSA-AES256-SHA384"};
    wrong.ciphers = ciphers.at(w.random_below(ciphers.size()));
    auto both = co_await make_wire(here());
    auto serving = tare::spawn_handle([near = std::move(both.near), with = wire_server()]() mutable -> task<> {
      const auto made = co_await tls::stream::accept(std::move(near), with);
      EXPECT_FALSE(made.has_value());
    });
    tls_peer peer(wrong);
    // Something is on its way when the server gives up.
    (void)co_await send_cut(w, both.far, peer.step() + std::string(w.random_below(2) * 500, 'x'));
    const std::string told = co_await read_wire(both.far);
    const auto records = records_of(told);
    EXPECT_TRUE(records.size() == 1 && records[0][0] == 21) << wrong.ciphers << ": " << told.size() << " bytes";
    both.far.close();
    co_await serving;
  });
}

TEST(sim_tls, a_client_hello_of_any_size_is_not_awaited) {
  for (const std::size_t size : {20'000U, 60'000U, 120'000U}) {
    int in_time = 0;
    int all = 0;
    with_seeds(10, [size, &in_time, &all](world& /*w*/) -> task<> {
      auto both = co_await make_wire(here());
      auto serving = tare::spawn_handle([near = std::move(both.near), with = wire_server()]() mutable -> task<> {
        const auto made = co_await tls::stream::accept(std::move(near), with);
        EXPECT_FALSE(made.has_value());
      });
      std::string record("\x16\x03\x01\x10\x00\x01", 6);
      for (unsigned shift : {16U, 8U, 0U}) record += static_cast<char>(size >> shift & 0xFFU);
      record += std::string(4092, 'x');
      (void)co_await both.far.write(wire_bytes(record));
      const auto begun = tare::now();
      (void)co_await tare::timeout(10s, read_wire(both.far));
      ++all;
      if (tare::now() - begun < 5s) ++in_time;
      both.far.close();
      co_await serving;
    });
    // Without a low-water mark, which simulated sockets do not have, a head in pieces is left to OpenSSL.
    EXPECT_GT(in_time, all / 3) << size;
  }
}

// Records that no correct peer makes.

struct hostile_record {
  std::string name;
  std::function<std::string(tls_peer&)> make;
  std::string answer;
};

std::vector<hostile_record> hostile_records() {
  using content = tls_peer::content;
  return {
      {"an empty alert", [](tls_peer& peer) { return peer.seal(content::alert, ""); }, "<alert 10>"},
      {"half an alert", [](tls_peer& peer) { return peer.seal(content::alert, "\1"); }, "<alert 50>"},
      {"two alerts in one", [](tls_peer& peer) { return peer.seal(content::alert, std::string("\1\0\1\0", 4)); },
       "<alert 50>"},
      {"too much padding", [](tls_peer& peer) { return peer.seal(content::none, std::string(16'384, 'x') + '\x17'); },
       "<alert 22>"},
      {"nothing but padding", [](tls_peer& peer) { return peer.seal(content::none, std::string(50, '\0')); },
       "<alert 10>"},
      {"a wrong seal",
       [](tls_peer& peer) {
         std::string record = peer.seal(content::application_data, "text");
         record.back() = static_cast<char>(record.back() ^ 1);
         return record;
       },
       "<alert 20>"},
      {"an announced length that is too large", [](tls_peer&) { return std::string("\x17\x03\x03\x48\x00", 5); },
       "<alert 22>"},
  };
}

TEST(sim_tls, records_that_nobody_may_send_are_refused_with_the_right_alert) {
  for (const hostile_record& tried : hostile_records()) {
    with_seeds(5, [&](world& w) -> task<> {
      auto both = co_await make_wire(here());
      auto serving = tare::spawn_handle([near = std::move(both.near), with = wire_server()]() mutable -> task<> {
        auto made = co_await tls::stream::accept(std::move(near), with);
        EXPECT_TRUE(made.has_value());
        if (!made) co_return;
        const auto error = co_await echo_secret(std::move(*made));
        EXPECT_TRUE(static_cast<bool>(error));
      });
      tls_peer peer(wire_peer());
      const bool shaken = co_await shake_hands(w, both.far, peer, "");
      EXPECT_TRUE(shaken);
      peer.take_keys(0);
      std::string sent = peer.seal(tls_peer::content::application_data, "hello");
      sent += tried.make(peer);
      (void)co_await send_cut(w, both.far, std::move(sent));
      const std::string wire = co_await read_wire(both.far);
      EXPECT_EQ(peer.open(wire), "hello" + tried.answer) << tried.name;
      both.far.close();
      co_await serving;
    });
  }
}

/// A peer that demands responses and never reads them.
TEST(sim_tls, what_a_peer_does_not_read_is_limited) {
  for (const bool by_openssl : {false, true}) {
    with_seeds(3, [by_openssl](world& w) -> task<> {
      const tare::sim::link_options narrow{.buffer_bytes = 4U << 10U};
      w.set_link(w.here(), w.here(), narrow);
      auto both = co_await make_wire(here());
      bool ended = false;
      auto serving =
          tare::spawn_handle([&ended, near = std::move(both.near), with = wire_server()]() mutable -> task<> {
            auto made = co_await tls::stream::accept(std::move(near), with);
            if (made) (void)co_await made->read();
            ended = true;
          });
      tls_peer_options options = wire_peer();
      if (by_openssl) options.max_fragment = 4;  // then the server's OpenSSL stays, too
      tls_peer peer(options);
      (void)co_await shake_hands(w, both.far, peer, "");
      std::size_t sent = 0;
      if (!by_openssl) peer.take_keys(0);
      while (!ended && sent < 3'000'000) {
        std::string some;
        for (int i = 0; i < 50; ++i) {
          if (by_openssl) {
            (void)::SSL_key_update(peer.get(), SSL_KEY_UPDATE_REQUESTED);
            (void)::SSL_do_handshake(peer.get());
            some += peer.sent();
          } else {
            some += peer.update_keys(true);
          }
        }
        sent += some.size();
        const auto gone = co_await tare::timeout(10s, both.far.write(wire_bytes(some)));
        if (!gone || !*gone) break;
      }
      EXPECT_LT(sent, 3'000'000U) << "each is answered, and the answers are kept";
      both.far.close();
      serving.cancel();
      try {
        co_await serving;
      } catch (const tare::task_cancelled&) {  // NOLINT(bugprone-empty-catch): it waits for room
      }
    });
  }
}

/// Writes that are cancelled in the middle of a record, and the next ones.
TEST(sim_tls, a_write_that_was_cancelled_does_not_spoil_the_next_one) {
  with_seeds(100, [](world& w) -> task<> {
    const tare::sim::link_options narrow{.buffer_bytes = 4U << 10U};
    w.set_link(w.here(), w.here(), narrow);
    auto both = co_await make_wire(here());
    auto writing = tare::spawn_handle([&w, near = std::move(both.near), with = wire_server()]() mutable -> task<> {
      auto made = co_await tls::stream::accept(std::move(near), with);
      if (!made) co_return;
      for (int i = 0; i < 20; ++i) {
        const std::string text(1 + w.random_below(5000), static_cast<char>('a' + i));
        const auto limit = std::chrono::microseconds(w.random_below(5000));
        (void)co_await tare::timeout(limit, made->write(wire_bytes(text)));
      }
      const auto last = co_await made->write(wire_bytes("the end"));
      EXPECT_TRUE(last.has_value());
      // What remains of it is sent by the next call.
      while (!made->shutdown_write()) {
        if (!co_await made->writable()) break;
      }
      (void)co_await tare::timeout(1s, made->read());
    });
    auto made = co_await tls::stream::connect(std::move(both.far), wire_client(), "server");
    EXPECT_TRUE(made.has_value());
    if (!made) co_return;
    std::string all;
    for (;;) {
      co_await tare::sleep_for(std::chrono::microseconds(w.random_below(2000)));
      auto got = co_await made->read();
      EXPECT_TRUE(got.has_value() || all.ends_with("the end")) << got.error().message();
      if (!got || got->empty()) break;
      all.append(reinterpret_cast<const char*>(got->bytes().data()), got->size());
    }
    EXPECT_TRUE(all.ends_with("the end")) << all.size();
    EXPECT_TRUE(std::ranges::is_sorted(all.substr(0, all.size() - std::min<std::size_t>(all.size(), 7))));
    made->close();
    co_await writing;
  });
}

}  // namespace
