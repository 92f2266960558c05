// Frames that end on another thread than the one that made them, while their shard waits for descriptors in the kernel.

#include "net/on_reactors.hpp"
#include "sched/guests.hpp"

#include <tare/net.hpp>

#include <gtest/gtest.h>

#include <tuple>

namespace {

using tare::task;

class sleeping_in_reactor : public testing::TestWithParam<std::tuple<tare::io_kind, tare::clock_kind>> {};

TEST_P(sleeping_in_reactor, gets_back_what_others_free) {
  if (tare::detail::poisoning) GTEST_SKIP() << "AddressSanitizer's quarantine holds back freed frames";
  const auto [io, clock] = GetParam();
  tare::runtime rt({.shards = 2, .clock = clock, .io = io, .frame_limit = tare::test::ceiling});
  auto body = [&]() -> task<> {
    auto [ours, theirs] = tare::net::stream::pair().value();
    // Because it waits for a descriptor, the shard sleeps in the reactor, whose slots and buffers use slabs too.
    constexpr std::size_t of_reactor = std::size_t{128} << 10U;
    co_await tare::test::sleep_until_it_has_come_back(rt, tare::test::few_bytes + of_reactor);
    ours.close();
  };
  rt.run(body());
}

INSTANTIATE_TEST_SUITE_P(reactors, sleeping_in_reactor,
                         testing::Combine(testing::Values(tare::io_kind::epoll, tare::io_kind::io_uring),
                                          testing::Values(tare::clock_kind::real, tare::clock_kind::virtual_time)));

}  // namespace
