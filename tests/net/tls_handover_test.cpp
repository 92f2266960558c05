// The moment at which OpenSSL hands a TLS 1.3 connection over to the record layer: no byte is lost, whatever has
// arrived by then and however it is split.

#include "net/on_reactors.hpp"
#include "net/tls_contexts.hpp"
#include "net/tls_peer.hpp"
#include "support/sanitizers.hpp"

#include <tare/net/tls.hpp>

#include <sys/ioctl.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <tuple>
#include <vector>

namespace {

using namespace tare::testing;
using tare::task;
namespace tls = tare::net::tls;

/// Which splits are tried: a selection, or all of them if TARE_TEST_EVERY_SPLIT is set, which takes minutes.
const bool tries_all = std::getenv("TARE_TEST_EVERY_SPLIT") != nullptr;  // NOLINT(concurrency-mt-unsafe)
const std::size_t small_step = support::is_sanitized && !tries_all ? 5 : 1;
const std::size_t flight_step = tries_all ? 1 : support::is_sanitized ? 29 : 5;
/// Records of 16 KiB: 9 positions at the beginning, and 24 at the end.
const std::size_t large_cuts = tries_all ? 9 + 24 : 9;

std::vector<std::size_t> small_sizes() {
  if (!tries_all) return {1, 2, 5, 16, 64};
  std::vector<std::size_t> all(64);
  std::ranges::generate(all, [next = std::size_t{0}]() mutable { return ++next; });
  return all;
}

constexpr std::size_t record_count = 20;

/// Waits until the other end of the connection has received everything that was sent.
task<> settle(int other_end) {
  for (int turn = 0; turn < 2000; ++turn) {
    int left = 0;
    const bool is_open = ::ioctl(other_end, FIONREAD, &left) == 0;
    co_await tare::yield();
    if (left == 0 || !is_open) break;
  }
  co_await tare::yield();
}

/// What the peer sends after its handshake: 20 records of user data, with key updates in between.
struct script {
  std::vector<std::string> records;
  std::string text;
};
script write_script(tls_peer& peer, std::size_t size, std::size_t cut) {
  script made;
  for (std::size_t i = 0; i < record_count; ++i) {
    const std::string text(size, static_cast<char>('a' + i));
    made.text += text;
    made.records.push_back(peer.seal(tls_peer::content::application_data, text));
    if (i == 4 || i == 9 || i == 14) {
      for (auto& record : records_of(peer.update_keys(i != 4, i == 9 ? 1 + cut % 4 : 5))) {
        made.records.push_back(std::move(record));
      }
    }
  }
  return made;
}

/// Sends records so that the system never has a single whole one: record i is split after (cut + i) bytes, and its
/// second part is sent together with the first bytes of the next record.
task<> send_cut(tare::net::stream& to, int other_end, std::vector<std::string> records, std::size_t cut) {
  std::string piece;
  for (std::size_t i = 0; i < records.size(); ++i) {
    const std::size_t at = records[i].size() > 16'000 ? (cut < 9 ? cut : records[i].size() - 24 + (cut - 9))
                                                      : (cut + i) % records[i].size();
    piece += records[i].substr(0, at);
    const auto sent = co_await to.write(bytes_of(piece));
    if (!sent) co_return;
    co_await settle(other_end);
    piece = records[i].substr(at);
  }
  (void)co_await to.write(bytes_of(piece));
}

/// Sends the first `first` bytes of the records, and then the rest.
task<> send_in_two(tare::net::stream& to, int other_end, const std::vector<std::string>& records, std::size_t first) {
  std::string all;
  for (const std::string& record : records) all += record;
  const auto sent = co_await to.write(bytes_of(all).first(std::min(first, all.size())));
  if (!sent) co_return;
  co_await settle(other_end);
  (void)co_await to.write(bytes_of(all).subspan(std::min(first, all.size())));
}

task<std::string> read_some(tls::stream& from, std::size_t size) {
  std::string all;
  while (all.size() < size) {
    auto got = co_await from.read();
    if (!got) co_return all + "<" + got.error().message() + ">";
    if (got->empty()) co_return all + "<end>";
    all += text_of(got->bytes());
  }
  co_return all;
}

struct shared_contexts {
  tls::context server = server_context();
  tls::context client = client_context();
};

/// Our end: does the handshake, reads everything that the peer sends, and sends a word.
task<std::string> talk(tare::net::stream below, bool server, const shared_contexts& contexts, std::size_t size) {
  tare::net::result<tls::stream> made = std::unexpected(std::error_code());
  if (server) {
    made = co_await tls::stream::accept(std::move(below), contexts.server);
  } else {
    std::string name = "localhost";
    made = co_await tls::stream::connect(std::move(below), contexts.client, std::move(name));
  }
  if (!made) co_return "handshake: " + made.error().message();
  std::string text = co_await read_some(*made, size);
  const auto written = co_await made->write(bytes_of("thanks"));
  if (!written) text += "<not written>";
  co_return text;
}

/// The peer's end: sends its last flight together with the records that follow it.
task<std::string> play(tare::net::stream wire, int other_end, tls_peer& peer, bool peer_is_server, std::size_t size,
                       std::size_t cut, bool in_two, std::string& expected) {
  std::string flight = peer.step();
  while (!peer.is_done()) {
    if (!flight.empty()) (void)co_await wire.write(bytes_of(flight));
    auto got = co_await wire.read();
    if (!got || got->empty()) co_return "<no handshake>";
    peer.receive(got->bytes());
    flight = peer.step();
  }
  std::vector<std::string> records = records_of(flight);
  peer.take_keys(peer_is_server ? records.size() : 0);
  script behind = write_script(peer, size, cut);
  expected = behind.text;
  for (auto& record : behind.records) records.push_back(std::move(record));
  if (in_two) {
    co_await send_in_two(wire, other_end, records, cut);
  } else {
    co_await send_cut(wire, other_end, std::move(records), cut);
  }
  // If our end is the server, its tickets come first.
  std::string raw;
  for (;;) {
    auto got = co_await wire.read();
    if (!got || got->empty()) break;
    raw += text_of(got->bytes());
  }
  co_return peer.open(raw);
}

using parameters = std::tuple<bool, const char*>;
class tls_handover_test : public ::testing::TestWithParam<parameters> {
 protected:
  static task<> one(const shared_contexts& contexts, bool ours_is_server, const char* suite, std::size_t size,
                    std::size_t cut, bool in_two = false) {
    auto [wire, ours] = tare::net::stream::pair().value();
    const int other_end = ours.native_handle();
    tls_peer peer({.server = !ours_is_server, .suite = suite});
    std::string expected;
    auto [read, answered] =
        co_await tare::when_all(talk(std::move(ours), ours_is_server, contexts, size * record_count),
                                play(std::move(wire), other_end, peer, !ours_is_server, size, cut, in_two, expected));
    EXPECT_TRUE(read == expected) << "records of " << size << " bytes, cut after " << cut << ": "
                                  << read.substr(0, 200);
    EXPECT_EQ(answered, "thanks") << "records of " << size << " bytes, cut after " << cut;
  }
};

TEST_P(tls_handover_test, loses_nothing_of_small_records) {
  const auto [server, suite] = GetParam();
  const shared_contexts contexts;
  tare::runtime runtime({.shards = 1});
  for (const std::size_t size : small_sizes()) {
    if (HasFailure()) break;
    const auto run = [&](std::size_t bytes) -> task<> {
      for (std::size_t cut = 0; cut < bytes + tls::traffic_keys::overhead_bytes; cut += small_step) {
        co_await one(contexts, server, suite, bytes, cut);
      }
    };
    runtime.run(run(size));
  }
}

TEST_P(tls_handover_test, loses_nothing_that_comes_with_the_last_flight) {
  const auto [server, suite] = GetParam();
  const shared_contexts contexts;
  const auto run = [&, server = server, suite = suite]() -> task<> {
    for (std::size_t first = 0; first < 1000; first += flight_step) {
      co_await one(contexts, server, suite, 3, first, true);
    }
  };
  tare::runtime({.shards = 1}).run(run());
}

TEST_P(tls_handover_test, loses_nothing_of_large_records) {
  const auto [server, suite] = GetParam();
  const shared_contexts contexts;
  const auto run = [&, server = server, suite = suite]() -> task<> {
    for (std::size_t cut = 0; cut < large_cuts; cut += small_step) co_await one(contexts, server, suite, 16'384, cut);
  };
  tare::runtime({.shards = 1}).run(run());
}

INSTANTIATE_TEST_SUITE_P(of, tls_handover_test,
                         ::testing::Combine(::testing::Bool(),
                                            ::testing::Values("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384",
                                                              "TLS_CHACHA20_POLY1305_SHA256")),
                         [](const ::testing::TestParamInfo<parameters>& made) {
                           return std::string(std::get<0>(made.param) ? "server_" : "client_") +
                                  std::get<1>(made.param);
                         });

/// The client requests short records with an extension that the record layer does not know.
TEST(tls_handover, keeps_to_an_agreed_length_of_fragments) {
  const shared_contexts contexts;
  const auto attempt = [&](std::uint8_t wish) -> task<> {
    auto [wire, ours] = tare::net::stream::pair().value();
    tls_peer peer({.max_fragment = wish});
    const std::string text(20'000, 'x');
    const auto serve = [&](tare::net::stream below) -> task<> {
      auto s = co_await tls::stream::accept(std::move(below), contexts.server);
      EXPECT_TRUE(s.has_value());
      const auto written = co_await s->write(bytes_of(text));
      EXPECT_TRUE(written);
      EXPECT_TRUE(s->shutdown_write());
    };
    const auto ask = [&](tare::net::stream to) -> task<> {
      std::string flight = peer.step();
      std::string read;
      for (;;) {
        if (!flight.empty()) (void)co_await to.write(bytes_of(flight));
        auto got = co_await to.read();
        if (!got || got->empty()) break;
        peer.receive(got->bytes());
        flight = peer.is_done() ? std::string() : peer.step();
        if (peer.is_done()) read += peer.read();
      }
      EXPECT_EQ(read, text) << "wish " << int{wish};
      EXPECT_EQ(::SSL_get_shutdown(peer.get()), SSL_RECEIVED_SHUTDOWN);
    };
    co_await tare::when_all(serve(std::move(ours)), ask(std::move(wire)));
  };
  for (std::uint8_t wish = 1; wish <= 4; ++wish) tare::run(attempt(wish));
}

/// Returns what our end sends in response to records that it must refuse.
task<std::string> answer_to(std::vector<std::string> (*make)(tls_peer& peer), tare::net::stream wire, tls_peer& peer) {
  for (std::string flight = peer.step();; flight = peer.step()) {
    if (peer.is_done()) {
      peer.take_keys(0);
      for (const std::string& record : make(peer)) flight += record;
    }
    if (!flight.empty()) (void)co_await wire.write(bytes_of(flight));
    if (peer.is_done()) break;
    auto got = co_await wire.read();
    if (!got || got->empty()) co_return "<no handshake>";
    peer.receive(got->bytes());
  }
  std::string raw;
  for (;;) {
    auto got = co_await wire.read();
    if (!got || got->empty()) break;
    raw += text_of(got->bytes());
  }
  co_return peer.open(raw);
}

task<std::string> serve_one_read(tare::net::stream below, tls::context with) {
  auto s = co_await tls::stream::accept(std::move(below), with);
  if (!s) co_return "handshake: " + s.error().message();
  std::size_t size = 0;
  for (;;) {
    auto got = co_await s->read();
    if (!got) co_return "refused";
    size += got->size();
    if (got->empty() || size >= 16'383) co_return std::to_string(size) + " bytes";
  }
}

task<> refuse(std::vector<std::string> (*make)(tls_peer& peer), std::string read, std::string response) {
  auto [wire, end] = tare::net::stream::pair().value();
  tls_peer peer({});
  const auto with = server_context();
  auto [was_read, answered] =
      co_await tare::when_all(serve_one_read(std::move(end), with), answer_to(make, std::move(wire), peer));
  EXPECT_EQ(was_read, read);
  EXPECT_EQ(answered, response);
}

TEST(tls_handover, refuses_empty_alerts_and_too_much_padding) {
  using content = tls_peer::content;
  const auto empty_alert = [](tls_peer& peer) { return std::vector{peer.seal(content::alert, {})}; };
  tare::run(refuse(empty_alert, "refused", "<alert 10>"));
  // The type byte and a zero after the data, as with padding.
  const auto most = [](tls_peer& peer) {
    return std::vector{peer.seal(content::none, std::string(16'383, 'x') + '\x17')};
  };
  tare::run(refuse(most, "16383 bytes", ""));
  const auto too_much = [](tls_peer& peer) {
    return std::vector{peer.seal(content::none, std::string(16'384, 'x') + '\x17')};
  };
  tare::run(refuse(too_much, "refused", "<alert 22>"));
}

/// With max_fragment_length, OpenSSL keeps the connection and responds to every key update that requests one.
TEST(tls_handover, ends_a_connection_whose_answers_nobody_reads) {
  const auto with = server_context();
  const auto both = [&]() -> task<> {
    auto [wire, end] = tare::net::stream::pair().value();
    tls_peer peer({.max_fragment = 4});
    const auto serve = [&](tare::net::stream below) -> task<> {
      auto s = co_await tls::stream::accept(std::move(below), with);
      EXPECT_TRUE(s.has_value());
      for (int turn = 0; turn < 1000; ++turn) {
        const auto waited = co_await s->readable();
        EXPECT_TRUE(waited);
        const auto got = s->try_read();
        if (!got && got.error() != std::errc::operation_would_block) co_return;
      }
      ADD_FAILURE() << "the connection did not end";
    };
    const auto ask = [&](tare::net::stream to) -> task<> {
      while (!peer.is_done()) {
        const std::string flight = peer.step();
        if (!flight.empty()) (void)co_await to.write(bytes_of(flight));
        if (peer.is_done()) break;
        auto got = co_await to.read();
        if (!got || got->empty()) co_return;
        peer.receive(got->bytes());
      }
      for (int i = 0; i < 20'000; ++i) {
        EXPECT_EQ(::SSL_key_update(peer.get(), SSL_KEY_UPDATE_REQUESTED), 1);
        const auto written = co_await to.write(bytes_of(peer.step()));
        if (!written) co_return;
      }
    };
    co_await tare::when_all(serve(std::move(end)), ask(std::move(wire)));
  };
  tare::run(both());
}

}  // namespace
