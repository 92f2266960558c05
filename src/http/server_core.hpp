#pragma once

// State shared by the connections of a server. In the arena, because its timer is linked into the shard's wheel.
//
// Requests in progress are in a list ordered by start time. While there are any, a timer scans it ten times a second:
// the clients of requests that have been running for a while are looked at, in case they have disconnected, and
// requests that have been running for too long are cancelled. So a request costs neither a timer nor a task that
// watches.

#include "http/access_note.hpp"
#include "http/exchange.hpp"
#include "http/lasting/lasting_work.hpp"
#include "http/websocket/deflate.hpp"

#include <tare/detail/timer_node.hpp>
#include <tare/http/handler.hpp>
#include <tare/http/server.hpp>
#include <tare/memory_budget.hpp>
#include <tare/net/listener.hpp>
#include <tare/runtime.hpp>
#include <tare/scope.hpp>
#include <tare/shard_id.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace tare::http::detail {

class server_core {
 public:
  server_core(handler handle, server_options options);
  server_core(const server_core&) = delete;
  server_core& operator=(const server_core&) = delete;
  ~server_core();

  [[nodiscard]] const server_options& options() const noexcept { return options_; }
  [[nodiscard]] request_limits limits() const noexcept {
    return {
        .head_bytes = options_.max_head_bytes, .fields = options_.max_fields, .body_bytes = options_.max_body_bytes};
  }
  [[nodiscard]] const handler& answer() const noexcept { return answer_; }
  void report(const std::exception_ptr& error) const noexcept;
  /// Of a request, whose entry in the log has the exception, too.
  void report_handler(const std::exception_ptr& error) const noexcept {
    if (options_.on_error || !options_.on_response) report(error);
  }
  /// nullptr if there is no limit.
  [[nodiscard]] memory_budget* budget() const noexcept { return budget_; }
  /// Makes room: ends the connections that hold the most while their peers do nothing. They end shortly afterwards.
  /// False if there are none.
  bool make_room() noexcept;
  /// The same for the connections that have been idle longest; those in a handshake come first.
  void end_stalled_handshakes() noexcept;
  [[nodiscard]] bool is_urgent(std::string_view path) const noexcept;
  /// Whether a head that begins like this may be one of an urgent request.
  [[nodiscard]] bool may_be_urgent(std::string_view head) const noexcept;
  /// Lets the exchange take an urgent share for the part of a head that has arrived. False if another one has it: only
  /// one may, because clients that never complete their heads must leave room for whole requests.
  [[nodiscard]] bool begin_urgent_head(const exchange& arriving) noexcept;
  /// Returns whether it was this exchange.
  bool end_urgent_head(const exchange& arriving) noexcept;

  /// "date: ...\r\n", of this second.
  [[nodiscard]] std::string_view date_line() noexcept;
  /// A buffer for assembling a response: its content is consumed before anything suspends.
  [[nodiscard]] std::string& scratch() noexcept { return scratch_; }
  /// For compressed messages.
  [[nodiscard]] message_codec& codec() noexcept { return codec_; }

  /// For a request that begins to arrive; one that is not in use is kept for the next. Throws std::bad_alloc.
  [[nodiscard]] std::unique_ptr<intake> make_intake();
  void keep_intake(std::unique_ptr<intake> used) noexcept;

  // Connections in serve_requests.
  void enter(exchange& entering) noexcept;
  void leave(exchange& leaving) noexcept;
  /// Its handler begins.
  void begin_handler(exchange& exchange) noexcept;
  void end_handler() noexcept;

  // Lasting connections. What they hold is one share of the budget.
  /// The number of a route; nullopt if there are too many.
  [[nodiscard]] std::optional<std::uint16_t> number_of(const lasting_route& route);
  [[nodiscard]] const lasting_route& route(std::uint16_t number) const noexcept { return *lasting_routes_[number]; }
  [[nodiscard]] bool admit_lasting(std::size_t bytes) noexcept;
  void release_lasting(std::size_t bytes) noexcept;
  /// Notes for the log of connections whose handlers run, by the link to the connection. Leaves it to the caller if
  /// memory is short.
  void keep_note(tare::detail::link of, access_note::owner& note) noexcept;
  [[nodiscard]] access_note::owner take_note(tare::detail::link of) noexcept;
  void count_lasting(std::ptrdiff_t change) noexcept { lasting_ += static_cast<std::size_t>(change); }
  [[nodiscard]] std::size_t lasting_connections() const noexcept { return lasting_; }
  [[nodiscard]] shard_id home() const noexcept { return home_; }
  /// What the receiving task that resumes next has received.
  [[nodiscard]] socket_event& received() noexcept { return received_; }
  /// Work that holds admitted memory: the sweep looks whether it can go on.
  void enter(lasting_work& entering) noexcept;
  void leave(lasting_work& leaving) noexcept;

  /// Counts tenths of a second while requests are in progress.
  [[nodiscard]] std::uint32_t sweeps() const noexcept { return sweeps_; }
  /// Whether one more of those that have waited too long for room may be refused in this sweep.
  [[nodiscard]] bool take_refusal() noexcept {
    if (refusals_ == 0) return false;
    --refusals_;
    return true;
  }
  [[nodiscard]] std::size_t handlers() const noexcept { return handlers_; }
  [[nodiscard]] std::uint64_t requests() const noexcept { return requests_; }

  // Acceptors of this server.
  struct acceptor {
    net::listener* listening;
    scope* connections;
  };
  void add(acceptor& accepting) {
    acceptors_.push_back(&accepting);
    drains_end_ = std::nullopt;
  }
  void remove(acceptor& accepting) noexcept { std::erase(acceptors_, &accepting); }
  [[nodiscard]] std::size_t connections() const noexcept;
  void stop() noexcept;
  void end_drains_after(std::chrono::nanoseconds time) noexcept;
  [[nodiscard]] std::uint32_t sweeps_to_drain() const noexcept;
  /// Whether the time given by `end_drains_after` has passed.
  [[nodiscard]] bool drains_are_over() const noexcept { return drains_end_ && sweeps_ >= *drains_end_; }

 private:
  struct sweep_timer : tare::detail::timer_node {
    server_core* of = nullptr;
  };

  void sweep() noexcept;
  bool shed_lasting() noexcept;
  void sweep(exchange& each) noexcept;
  void sweep_later() noexcept;

  handler answer_;
  server_options options_;
  memory_budget* budget_ = nullptr;
  std::int64_t made_room_at_ = 0;
  std::int64_t ended_handshakes_at_ = 0;
  std::vector<acceptor*> acceptors_;
  std::string scratch_;
  message_codec codec_;
  std::unique_ptr<intake> spare_intake_;
  std::array<char, 40> date_{};
  std::time_t date_of_ = 0;

  shard_id home_ = this_shard();
  std::vector<const lasting_route*> lasting_routes_;
  memory_share lasting_share_;
  std::unordered_map<tare::detail::link, access_note::owner> notes_;
  std::size_t lasting_ = 0;
  socket_event received_;
  lasting_work* works_ = nullptr;

  sweep_timer timer_;
  tare::detail::link first_ = tare::detail::no_link;  ///< of the requests in progress
  tare::detail::link last_ = tare::detail::no_link;
  const exchange* urgent_head_ = nullptr;  ///< the exchange that has an urgent share for a part of its head
  std::size_t handlers_ = 0;
  std::uint64_t requests_ = 0;
  std::uint32_t sweeps_ = 0;
  std::size_t refusals_ = 0;                 ///< that are left in this sweep
  std::optional<std::uint32_t> drains_end_;  ///< the sweep that ends what remains of a drain
  std::uint32_t sweeps_a_request_ = 0;       ///< 0: no limit
};

}  // namespace tare::http::detail
