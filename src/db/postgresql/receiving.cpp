// Receives results from libpq's pipeline.

#include "db/postgresql/error.hpp"
#include "db/postgresql/session.hpp"

#include <tare/net/readiness.hpp>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <utility>

namespace tare::db::detail {

std::shared_ptr<const column_names> postgresql_session::names_of(const PGresult& got) {
  statement& about = *commands_[at_].about;
  const int count = PQnfields(&got);
  bool same = about.names != nullptr && about.names->size() == static_cast<std::size_t>(count);
  for (int i = 0; same && i < count; ++i) same = (*about.names)[static_cast<std::size_t>(i)] == PQfname(&got, i);
  if (same) return about.names;
  auto names = std::make_shared<column_names>();
  for (int i = 0; i < count; ++i) names->emplace_back(PQfname(&got, i));
  about.names = std::move(names);
  return about.names;
}

/// Its next messages would be taken for the responses to other statements.
void postgresql_session::distrust(error why) noexcept {
  if (!failure_) failure_ = std::move(why);
  connection_.reset();
}

/// Notes a result that has arrived; false if no command waits for it. A text of several statements is one command with
/// several results.
bool postgresql_session::accepts(ExecStatusType status) noexcept {
  if (status == PGRES_FATAL_ERROR || status == PGRES_NONFATAL_ERROR || status == PGRES_BAD_RESPONSE) return true;
  if (at_ >= commands_.size()) return false;
  sent_command& now = commands_[at_];
  if (now.what != command::execute && (status == PGRES_SINGLE_TUPLE || status == PGRES_TUPLES_OK)) return false;
  const bool ends = status != PGRES_SINGLE_TUPLE && PQpipelineStatus(connection_.get()) != PQ_PIPELINE_OFF;
  return !std::exchange(now.ended, now.ended || ends);
}

bool postgresql_session::take(const PGresult& got, row_block* into) {
  const ExecStatusType status = PQresultStatus(&got);
  if (!accepts(status)) {
    distrust({error_kind::protocol, "", "the server has sent a result that no statement has requested"});
    return false;
  }
  switch (status) {
    case PGRES_SINGLE_TUPLE:
    case PGRES_TUPLES_OK: {
      if (into != nullptr) {
        if (!rows_given_) into->begin(names_of(got));
        rows_given_ = true;
        for (int row = 0; row < PQntuples(&got); ++row) decode_row(got, row, *into);
      }
      if (status == PGRES_SINGLE_TUPLE) return into != nullptr && into->weight() >= block_bytes;
      [[fallthrough]];
    }
    case PGRES_COMMAND_OK: {
      const sent_command& now = commands_[at_];
      if (now.what == command::prepare) now.about->confirmed = true;
      if (now.what == command::forget) ++forgotten_;
      if (now.what != command::execute) break;
      const char* tag = PQcmdTuples(const_cast<PGresult*>(&got));
      const char* state = PQcmdStatus(const_cast<PGresult*>(&got));
      changes_ = 0;
      // The tag of a query counts the rows it has returned.
      if (std::strncmp(state, "SELECT", 6) != 0) std::from_chars(tag, tag + std::strlen(tag), changes_);
      if (all_changes_ != nullptr) all_changes_->push_back(changes_);
      if (committing_ && std::strcmp(state, "ROLLBACK") == 0 && !failure_) {
        failure_.emplace(error_kind::other, "25P02", "the transaction had failed and was rolled back");
      }
      break;
    }
    case PGRES_EMPTY_QUERY:
      if (!failure_) failure_.emplace(error_kind::syntax, "", "the statement is empty");
      break;
    case PGRES_PIPELINE_ABORTED:
      break;
    case PGRES_FATAL_ERROR:
    case PGRES_NONFATAL_ERROR:
    case PGRES_BAD_RESPONSE:
      if (at_ < commands_.size() && commands_[at_].what == command::forget) {
        // It no longer exists, for example after DISCARD ALL. In a failed transaction, it is tried again later.
        if (postgresql_error(got).code() == "26000") ++forgotten_;
      } else if (!failure_) {
        failure_ = postgresql_error(got);
      }
      // libpq's own errors: the server has violated the protocol, or memory is short.
      if (PQresultErrorField(&got, PG_DIAG_SQLSTATE) == nullptr) distrust(postgresql_error(got));
      break;
    default:
      // COPY, which needs special calls; continuing would wait forever.
      distrust({error_kind::syntax, "", "COPY to or from the client is not supported"});
  }
  return false;
}

void postgresql_session::command_ended(bool wants_rows) noexcept {
  if (at_ < commands_.size()) ++at_;
  if (wants_rows && at_ < commands_.size() && commands_[at_].what == command::execute) {
    PQsetSingleRowMode(connection_.get());
  }
}

bool postgresql_session::passes_sync() {
  --syncs_;
  if (syncs_ > 0) return false;
  if (at_ < commands_.size()) {
    distrust({error_kind::protocol, "", "the server has not responded to a statement"});
    return true;
  }
  (void)PQgetResult(connection_.get());  // tells libpq that nothing follows
  return true;
}

void postgresql_session::drop_notifications() noexcept {
  while (PGnotify* const dropped = PQnotifies(connection_.get())) PQfreemem(dropped);
}

bool postgresql_session::finish() {
  surplus_.erase(surplus_.begin(), surplus_.begin() + static_cast<std::ptrdiff_t>(forgotten_));
  forgotten_ = 0;
  drop_notifications();
  const bool stale = failure_ && (failure_->code() == "0A000" || failure_->code() == "26000");
  const bool prepared_now =
      std::ranges::any_of(commands_, [](const sent_command& each) { return each.what == command::prepare; });
  std::string useless;
  if (stale && !prepared_now && commands_.back().about != nullptr) useless = commands_.back().about->sql;

  // The server does not know statements that were to be prepared after an error.
  for (const sent_command& each : commands_) {
    if (each.what != command::prepare || each.about->confirmed) continue;
    const std::string sql = each.about->sql;
    statements_.remove(sql);
  }
  if (!useless.empty()) {
    statements_.remove(useless);
    if (!sent_again_ && !rows_given_ && PQtransactionStatus(connection_.get()) == PQTRANS_IDLE) {
      sent_again_ = true;
      return send(useless, bound_);
    }
  }
  running_ = false;
  bound_ = {};
  return false;
}

task<result<progress>> postgresql_session::collect(row_block* into) {
  PGconn* connection = connection_.get();
  for (;;) {
    while (PQisBusy(connection) != 0) {
      const auto waited = co_await net::wait_readable(PQsocket(connection));
      if (!waited || PQconsumeInput(connection) == 0) co_return std::unexpected(lost());
    }
    const pq<PGresult> got(PQgetResult(connection));
    if (got == nullptr) {
      if (!connected()) co_return std::unexpected(lost());
      command_ended(true);
      continue;
    }
    if (PQresultStatus(got.get()) != PGRES_PIPELINE_SYNC) {
      const bool full = take(*got, into);
      if (!connected()) co_return std::unexpected(lost());
      if (full) co_return progress{};
      continue;
    }
    if (!passes_sync()) continue;
    if (!connected()) co_return std::unexpected(lost());
    if (finish()) {
      if (PQflush(connection) < 0) co_return std::unexpected(lost());
      continue;
    }
    if (auto failure = std::exchange(failure_, std::nullopt)) co_return std::unexpected(*std::move(failure));
    co_return progress{.changes = changes_, .finished = true};
  }
}

task<result<void>> postgresql_session::drain() {
  PGconn* connection = connection_.get();
  const bool pipelined = PQpipelineStatus(connection) != PQ_PIPELINE_OFF;
  if (pipelined && !synced_) {
    // It was abandoned while it was being sent.
    if (!send_sync()) co_return std::unexpected(lost());
    synced_ = true;
  }
  for (;;) {
    auto sent = co_await flush();
    if (!sent) co_return sent;
    while (PQisBusy(connection) != 0) {
      const auto waited = co_await net::wait_readable(PQsocket(connection));
      if (!waited || PQconsumeInput(connection) == 0) co_return std::unexpected(lost());
    }
    const pq<PGresult> got(PQgetResult(connection));
    if (got == nullptr) {
      if (!connected()) co_return std::unexpected(lost());
      if (!pipelined) break;
      command_ended(true);
      continue;
    }
    if (PQresultStatus(got.get()) == PGRES_PIPELINE_SYNC) {
      if (passes_sync()) break;
      continue;
    }
    (void)take(*got, nullptr);
    if (!connected()) co_return std::unexpected(lost());
  }
  if (!connected()) co_return std::unexpected(lost());
  if (!pipelined && PQenterPipelineMode(connection) != 1) co_return std::unexpected(lost());
  sent_again_ = true;
  (void)finish();
  co_return result<void>();
}

}  // namespace tare::db::detail
