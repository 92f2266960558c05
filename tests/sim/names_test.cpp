// Names are resolved by a server that answers, is silent, late, wrong or lies, under every fault.

#include "sim/explored.hpp"

#include <tare/net.hpp>
#include <tare/sim.hpp>
#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <ostream>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::task;
using tare::sim::world;

enum class behaviour : std::uint8_t { answers, forgets_the_first, is_late, lies, knows_nothing, is_silent };

void PrintTo(behaviour each, std::ostream* to) {
  constexpr std::array names{"answers", "forgets_the_first", "is_late", "lies", "knows_nothing", "is_silent"};
  *to << names.at(static_cast<std::size_t>(each));
}

constexpr std::uint8_t no_such_name = 3;
constexpr std::size_t header_bytes = 12;
constexpr std::size_t answer_count_at = 7;

/// The response to a query (RFC 1035, 4.1) for one address, 10.1.2.3, if it asks for IPv4; otherwise without answers.
std::vector<std::byte> response_to(std::span<const std::byte> query, bool knows, bool lies) {
  std::vector<std::byte> made(query.begin(), query.end());
  std::size_t end = header_bytes;
  while (end < made.size() && made[end] != std::byte{0}) end += std::to_integer<std::size_t>(made[end]) + 1;
  end += 1 + 4;  // the empty label, type and class
  if (end > made.size()) return {};
  const bool for_ipv4 = made[end - 3] == std::byte{1};
  made.resize(end);  // without the additional section
  made[2] = std::byte{0x81};
  made[3] = knows ? std::byte{0x80} : std::byte{0x80 | no_such_name};
  made[answer_count_at] = std::byte{knows && for_ipv4 ? std::uint8_t{1} : std::uint8_t{0}};
  for (std::size_t i = answer_count_at + 1; i < header_bytes; ++i) made[i] = std::byte{0};
  if (lies) made[0] ^= std::byte{1};  // another query's number
  if (knows && for_ipv4) {
    for (const int byte : {0xC0, 0x0C, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 1, 2, 3}) {
      made.push_back(static_cast<std::byte>(byte));
    }
  }
  return made;
}

task<> serve_names(const world& w, behaviour how) {
  auto socket = tare::net::udp_socket::bind(tare::net::endpoint::any(53));
  if (!socket) {
    EXPECT_TRUE(w.fault_may_fail()) << socket.error().message();
    co_return;
  }
  std::array<std::byte, 512> buffer{};
  for (int count = 0;; ++count) {
    const auto got = co_await socket->receive_from(buffer);
    if (!got) co_return;
    if (how == behaviour::is_silent || (how == behaviour::forgets_the_first && count < 2)) continue;
    if (how == behaviour::is_late) co_await tare::sleep_for(600ms);
    const auto response = response_to(std::span(buffer).first(got->size), how != behaviour::knows_nothing,
                                      how == behaviour::lies && count < 2);
    auto sent = co_await socket->send_to(response, got->from);
    if (!sent) co_return;
  }
}

task<> resolve(world& w, behaviour how) {
  auto& server = w.add_host("names");
  server.spawn(serve_names(w, how));
  co_await tare::sleep_for(1ms);
  tare::net::resolve_options options;
  options.servers = server.address() + ":53";
  options.timeout = 500ms;
  const auto found = co_await tare::timeout(10min, tare::net::resolve("elsewhere.test", "80", options));
  if (w.fault_may_fail()) {
    if (found && *found) {
      EXPECT_EQ((*found)->front().to_string(), "10.1.2.3:80");
    }
    co_return;
  }
  EXPECT_TRUE(found) << "it did not end";
  if (!found) co_return;
  if (how == behaviour::knows_nothing || how == behaviour::is_silent) {
    EXPECT_FALSE(*found);
    if (*found) co_return;
    EXPECT_EQ(found->error(), how == behaviour::is_silent ? std::errc::timed_out : std::errc::host_unreachable);
    co_return;
  }
  EXPECT_TRUE(*found) << found->error().message();
  if (*found) {
    EXPECT_EQ((*found)->front().to_string(), "10.1.2.3:80");
  }
}

class sim_names : public ::testing::TestWithParam<behaviour> {};

TEST_P(sim_names, are_found_or_not_under_every_fault) {
  (void)tare::testing::explore_every_fault([](world& w) { return resolve(w, GetParam()); });
}

INSTANTIATE_TEST_SUITE_P(servers, sim_names,
                         ::testing::Values(behaviour::answers, behaviour::forgets_the_first, behaviour::is_late,
                                           behaviour::lies, behaviour::knows_nothing, behaviour::is_silent),
                         ::testing::PrintToStringParamName());

/// The first address does not answer, and the second takes longer than the pause between two attempts.
task<> connect_slowly(world& w) {
  auto& silent = w.add_host("silent");
  auto& slow = w.add_host("slow");
  w.set_link(w.here(), slow, {.latency = 200ms});
  w.partition(w.here(), silent);
  slow.spawn([]() -> task<> {
    auto listening = tare::net::listener::bind(tare::net::endpoint::any(80));
    if (!listening) co_return;
    for (;;) {
      auto accepted = co_await listening->accept();
      if (!accepted) co_return;
      co_await tare::sleep_for(1s);
    }
  });
  co_await tare::sleep_for(1ms);
  std::vector<tare::net::endpoint> both{tare::net::endpoint::parse(silent.address() + ":80").value(),
                                        tare::net::endpoint::parse(slow.address() + ":80").value()};
  tare::net::connect_options options;
  options.attempt_delay = 100ms;
  const auto made = co_await tare::timeout(1min, tare::net::connect(std::move(both), options));
  EXPECT_TRUE((made && *made) || w.fault_may_fail());
}

TEST(sim_connect, tries_the_next_address_under_every_fault) {
  (void)tare::testing::explore_every_fault(connect_slowly);
}

TEST(sim_names_of_nobody, are_refused_at_once) {
  tare::sim::run({}, [](world& /*w*/) -> task<> {
    for (const char* name : {"", "never.any.such.name.invalid"}) {
      const auto found = co_await tare::net::resolve(name, "80");
      EXPECT_FALSE(found) << name;
    }
  });
}

}  // namespace
