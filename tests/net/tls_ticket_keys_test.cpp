// The keys that a server encrypts session tickets with: when they are replaced and erased.

#include "net/tls/ticket_keys.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <new>

namespace {

using namespace std::chrono_literals;
namespace tls = tare::net::tls;
using keys = tls::ticket_keys;

constexpr keys::time_point start{std::chrono::hours(1000)};

tls::ticket_key current(keys& of, keys::time_point now) {
  tls::ticket_key key;
  EXPECT_TRUE(of.take_current(key, now));
  return key;
}

keys::age age_of(keys& of, const tls::ticket_key& key, keys::time_point now) {
  tls::ticket_key found;
  const auto age = of.find(key.name, found, now);
  EXPECT_EQ(age != keys::age::unknown, found.cipher == key.cipher && found.mac == key.mac);
  return age;
}

TEST(tls_ticket_keys, seal_for_a_period_open_for_a_while_and_are_forgotten) {
  keys all(10h, 2h);
  const auto first = current(all, start);
  EXPECT_EQ(current(all, start + 10h - 1ns).name, first.name);
  EXPECT_EQ(age_of(all, first, start + 10h - 1ns), keys::age::current);
  EXPECT_EQ(age_of(all, first, start + 10h), keys::age::previous);
  EXPECT_EQ(all.count(), 1U);
  const auto second = current(all, start + 11h);
  EXPECT_NE(second.name, first.name);
  EXPECT_NE(second.cipher, first.cipher);
  EXPECT_NE(second.mac, first.mac);
  EXPECT_EQ(all.count(), 2U);
  EXPECT_EQ(age_of(all, first, start + 12h - 1ns), keys::age::previous);
  EXPECT_EQ(age_of(all, first, start + 12h), keys::age::unknown);
  EXPECT_EQ(all.count(), 1U);
  EXPECT_EQ(age_of(all, second, start + 12h), keys::age::current);
}

TEST(tls_ticket_keys, are_forgotten_however_late_the_next_client_comes) {
  for (const auto pause : {12h, 13h, 22h, 24h * 365}) {
    keys all(10h, 2h);
    const auto first = current(all, start);
    EXPECT_EQ(age_of(all, first, start + pause), keys::age::unknown);
    EXPECT_EQ(all.count(), 0U);
    EXPECT_NE(current(all, start + pause).name, first.name);
  }
}

TEST(tls_ticket_keys, are_erased_in_time_by_a_caller_that_follows_the_rules) {
  keys all(10h, 2h);
  auto now = start;
  EXPECT_EQ(all.erase_old(now), 10h);
  const auto first = current(all, now + 1h);
  std::size_t calls = 0;
  while (all.count() != 0 && calls < 10) {
    now += all.erase_old(now);
    EXPECT_LE(now, start + 1h + 12h + 1s);
    all.erase_old(now);
    ++calls;
  }
  EXPECT_EQ(all.count(), 0U);
  EXPECT_LT(calls, 10U);
}

TEST(tls_ticket_keys, end_sooner_if_the_period_becomes_shorter) {
  keys all(10h, 2h);
  const auto first = current(all, start);
  all.set_times(1h, 2h);
  EXPECT_EQ(age_of(all, first, start + 1h - 1ns), keys::age::current);
  EXPECT_EQ(age_of(all, first, start + 1h), keys::age::previous);
  EXPECT_EQ(age_of(all, first, start + 2h), keys::age::unknown);
}

TEST(tls_ticket_keys, are_overwritten) {
  alignas(tls::ticket_key) std::array<std::byte, sizeof(tls::ticket_key)> memory{};
  auto* const key = ::new (memory.data()) tls::ticket_key;
  ASSERT_TRUE(key->make());
  const auto is_zero = [](std::byte each) { return each == std::byte{0}; };
  EXPECT_FALSE(std::ranges::all_of(memory, is_zero));
  key->~ticket_key();
  EXPECT_TRUE(std::ranges::all_of(memory, is_zero));
}

}  // namespace
