#include "load/closed_loop.hpp"

#include <tare/scope.hpp>
#include <tare/sleep.hpp>
#include <tare/timeout.hpp>

#include <algorithm>
#include <optional>
#include <utility>

namespace tare::load {
namespace {

using clock = std::chrono::steady_clock;

/// When one connection's requests are due.
class schedule {
 public:
  schedule(const closed_loop_options& options, std::size_t number, clock::time_point start) : due_(start) {
    if (options.rate <= 0) return;
    const auto nanoseconds = [](double seconds) {
      return std::chrono::nanoseconds(static_cast<std::int64_t>(seconds * 1e9));
    };
    interval_ = nanoseconds(static_cast<double>(options.connections) / options.rate);
    due_ += nanoseconds(static_cast<double>(number) / options.rate);
  }
  [[nodiscard]] bool has_rate() const noexcept { return interval_.has_value(); }
  [[nodiscard]] clock::time_point due() const noexcept { return due_; }
  void next() noexcept { due_ += interval_.value_or(std::chrono::nanoseconds(0)); }

 private:
  clock::time_point due_;
  std::optional<std::chrono::nanoseconds> interval_;
};

task<std::expected<connection, failure>> open_asked(const target& what, unsigned source) {
  auto opened = co_await connection::open(what, source);
  if (!opened) co_return opened;
  if (auto request = co_await opened->exchange(what); !request) co_return std::unexpected(request.error());
  co_return opened;
}

task<> run(connection& connection, const target& what, const closed_loop_options& options, schedule times,
           clock::time_point end, closed_loop_result& found) {
  while (now() < end) {
    clock::time_point began = now();
    if (times.has_rate()) {
      if (times.due() >= end) co_return;
      if (began < times.due()) {
        // The clock's tick may wake us late, which is not the server's fault.
        co_await sleep_until(times.due());
        began = now();
      } else {
        began = times.due();
      }
      times.next();
    }
    const auto outcome = co_await timeout(options.time_limit, connection.exchange(what));
    found.exchanges.add(outcome ? *outcome : std::unexpected(failure("no response in time")));
    if (!outcome || !*outcome) co_return;  // the connection cannot be used any more
    found.answered->add(now() - began);
  }
}

}  // namespace

task<closed_loop_result> drive(target what, closed_loop_options options) {
  closed_loop_result found;
  std::vector<connection> connections;
  connections.reserve(options.connections);
  for (std::size_t i = 0; i < options.connections; ++i) {
    auto opened = co_await timeout(options.time_limit, open_asked(what, static_cast<unsigned>(i) % options.sources));
    if (opened && *opened) connections.push_back(std::move(**opened));
    found.opened.add(!opened   ? std::unexpected(failure("no response in time"))
                     : *opened ? std::expected<void, failure>()
                               : std::unexpected(opened->error()));
    if (found.opened.failed != 0) co_return found;
  }
  const clock::time_point start = now();
  co_await with_scope([&](scope& s) -> task<> {
    for (std::size_t i = 0; i < connections.size(); ++i) {
      s.spawn(run(connections[i], what, options, schedule(options, i, start), start + options.time, found));
    }
    co_return;
  });
  found.time = now() - start;
  co_return found;
}

}  // namespace tare::load
