// Stops what is running on a session, so that it can be lent again; within a time limit, whatever the server does.

#include "db/postgresql/cancel.hpp"
#include "db/postgresql/session.hpp"

#include <tare/sleep.hpp>
#include <tare/timeout.hpp>

#include <algorithm>
#include <chrono>
#include <utility>

namespace tare::db::detail {

namespace {

using namespace std::chrono_literals;

// Total time that the server may take to stop a statement and to roll back, before the connection is closed.
constexpr std::chrono::seconds cancel_timeout{5};
// Most statements end by themselves within this time and need no cancel request.
constexpr std::chrono::milliseconds cancel_delay{20};
// Time for one cancel request, which may get lost.
constexpr std::chrono::milliseconds cancel_request_timeout{1000};
// After this time it is sent again, then after twice as long, and so on, because the server ignores a request that
// arrives before it has begun the statement.
constexpr std::chrono::milliseconds first_cancel_pause{100};

// Like DISCARD ALL, except for prepared statements, which the session tracks, and their plans.
constexpr std::string_view reset_script =
    "CLOSE ALL; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; UNLISTEN *; SELECT pg_advisory_unlock_all(); "
    "DISCARD TEMP; DISCARD SEQUENCES";

error hung(const char* what) { return {error_kind::unavailable, "", what}; }

/// The next statement must not report the error of the one that was being stopped.
error lost_in(const error& stopping) {
  return {error_kind::unavailable, "", "while an earlier statement was stopped: " + stopping.message()};
}

}  // namespace

task<result<void>> postgresql_session::reset() {
  if (!connected()) {
    close();
    co_return result<void>();
  }
  auto in_time = co_await tare::timeout(cancel_timeout, make_clean());
  if (!in_time) co_return std::unexpected(hung("the server does not stop what is under way"));
  co_return *std::move(in_time);
}

task<result<void>> postgresql_session::make_clean() {
  if (running_) {
    auto stopped = co_await stop();
    if (!stopped) co_return std::unexpected(lost_in(stopped.error()));
  }
  failure_.reset();
  // Otherwise it would stop the next statement.
  if (unconfirmed_ != 0) co_return std::unexpected(hung("a request to cancel is still under way"));
  if (PQtransactionStatus(connection_.get()) != PQTRANS_IDLE) {
    auto rolled_back = co_await start("ROLLBACK", {}, nullptr);
    if (!rolled_back) co_return std::unexpected(std::move(rolled_back.error()));
  }
  if (is_altered()) {
    auto restored = co_await run_script(reset_script);
    if (!restored) co_return restored;
    altered = false;
  }
  co_return result<void>();
}

/// Waits until the running statement has ended. Subject to a time limit.
task<result<void>> postgresql_session::stop() {
  auto pause = cancel_delay;
  for (auto next = first_cancel_pause;; next *= 2) {
    auto drained = co_await tare::timeout(pause, drain());
    if (drained) co_return *std::move(drained);
    if (!cancel_) co_return std::unexpected(hung("the statement cannot be cancelled: the connection is encrypted"));
    co_await send_cancel(*cancel_);
    pause = next;
  }
}

/// Sends one cancel request. The requests of a pool take turns, because each is a connection and a process on the
/// server.
task<> postgresql_session::send_cancel(cancel_target target) {
  auto turn = co_await shared_.cancels.acquire();
  // Counted before it can be sent, and permanently if its task is cancelled.
  cancel_stage stage = cancel_stage::not_sent;
  ++unconfirmed_;
  auto in_time = co_await tare::timeout(cancel_request_timeout, ask_to_cancel(target, stage));
  (void)in_time;
  if (stage != cancel_stage::sent) --unconfirmed_;
}

}  // namespace tare::db::detail
