#include "load/crowd.hpp"

#include <tare/scope.hpp>
#include <tare/timeout.hpp>

#include <algorithm>
#include <utility>

namespace tare::load {

void tally::add(const std::expected<void, failure>& outcome) {
  if (outcome) {
    ++succeeded;
  } else if (failed++ == 0) {
    first = outcome.error();
  }
}

template <class One>
task<tally> crowd::for_each(std::size_t count, One each, const std::function<void(std::size_t)>& progress) {
  tally all;
  std::size_t next = 0;
  const auto work = [&]() -> task<> {
    while (next < count) {
      // If nothing responds, a few hundred attempts are as informative as many thousands.
      if (all.succeeded == 0 && all.failed >= options_.at_a_time) co_return;
      auto outcome = co_await timeout(options_.time_limit, each(next++));
      all.add(outcome ? *outcome : std::unexpected(failure("no response in time")));
      if (progress) progress(all.succeeded + all.failed);
    }
  };
  co_await with_scope([&](scope& s) -> task<> {
    const std::size_t workers = std::min(options_.at_a_time, count);
    for (std::size_t i = 0; i < workers; ++i) s.spawn(work());
    co_return;
  });
  co_return all;
}

task<tally> crowd::open(std::size_t count, const std::function<void(std::size_t)>& progress) {
  connections_.reserve(connections_.size() + count);
  const auto open_one = [this](std::size_t number) -> task<std::expected<void, failure>> {
    auto opened = co_await connection::open(what_, static_cast<unsigned>(number) % options_.sources);
    if (!opened) co_return std::unexpected(opened.error());
    if (auto begun = co_await opened->begin(what_); !begun) co_return begun;
    connections_.push_back(std::move(*opened));
    co_return std::expected<void, failure>();
  };
  co_return co_await for_each(count, open_one, progress);
}

task<tally> crowd::ask_all(const std::function<void(std::size_t)>& progress) {
  const auto ask_one = [this](std::size_t number) -> task<std::expected<void, failure>> {
    connection& client = connections_[number];
    auto outcome = co_await client.again(what_);
    if (!outcome) client.close();
    co_return outcome;
  };
  const tally all = co_await for_each(connections_.size(), ask_one, progress);
  std::erase_if(connections_, [](const connection& each) { return !each.is_open(); });
  co_return all;
}

tally crowd::look_at_all() {
  tally all;
  for (auto& each : connections_) all.add(each.look(what_));
  return all;
}

}  // namespace tare::load
