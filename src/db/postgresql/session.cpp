#include "db/postgresql/session.hpp"

#include "db/postgresql/error.hpp"

#include <tare/net/readiness.hpp>
#include <tare/offload.hpp>
#include <tare/timeout.hpp>
#include <tare/when.hpp>

#include <poll.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstring>
#include <utility>

namespace tare::db::detail {

namespace {

// How long the server may take to stop what it is told to stop, before it is hung up on.
constexpr std::chrono::seconds cancel_limit{5};
// After so long it is told again: it ignores what comes before it has begun.
constexpr std::chrono::milliseconds cancel_pause{100};
// Statements of a batch that are put into libpq's buffer before it is sent.
constexpr std::size_t statements_a_flush = 64;

task<net::result<void>> readable(int fd) { co_return co_await net::wait_readable(fd); }
task<net::result<void>> writable(int fd) { co_return co_await net::wait_writable(fd); }

task<result<progress>> failed(error why) { co_return std::unexpected(std::move(why)); }

const char* text_of(isolation level) noexcept {
  switch (level) {
    case isolation::repeatable:
      return " ISOLATION LEVEL REPEATABLE READ";
    case isolation::serializable:
      return " ISOLATION LEVEL SERIALIZABLE";
    case isolation::standard:
      break;
  }
  return "";
}

}  // namespace

// --- the connection -------------------------------------------------------------------------------------------------

task<result<void>> postgresql_session::connect() {
  close();
  // Off the shard, because it looks up the host's name; later hosts of a list are looked up by PQconnectPoll.
  auto begin = [this] { return pq<PGconn>(PQconnectStartParams(shared_.keywords.data(), shared_.values.data(), 0)); };
  auto made = co_await offload(std::move(begin));
  PostgresPollingStatusType state = PGRES_POLLING_WRITING;
  if (made == nullptr || PQstatus(made.get()) == CONNECTION_BAD) state = PGRES_POLLING_FAILED;
  while (state == PGRES_POLLING_READING || state == PGRES_POLLING_WRITING) {
    const int fd = PQsocket(made.get());
    net::result<void> waited;
    if (state == PGRES_POLLING_READING) {
      waited = co_await net::wait_readable(fd);
    } else {
      waited = co_await net::wait_writable(fd);
    }
    if (!waited) co_return std::unexpected(error(error_kind::unavailable, "", waited.error().message()));
    state = PQconnectPoll(made.get());
  }
  if (state != PGRES_POLLING_OK) co_return std::unexpected(connection_error(made.get()));

  // What the server remarks by the way would otherwise be printed.
  PQsetNoticeReceiver(made.get(), [](void* /*nothing*/, const PGresult* /*notice*/) {}, nullptr);
  if (PQsetnonblocking(made.get(), 1) != 0 || PQenterPipelineMode(made.get()) != 1) {
    co_return std::unexpected(connection_error(made.get()));
  }
  connection_ = std::move(made);
  co_return result<void>();
}

bool postgresql_session::connected() const noexcept {
  return connection_ != nullptr && PQstatus(connection_.get()) == CONNECTION_OK;
}

bool postgresql_session::seems_alive() noexcept {
  // While it rests nothing should come but the server's goodbye, or a remark.
  while (connected()) {
    pollfd ready{.fd = PQsocket(connection_.get()), .events = POLLIN, .revents = 0};
    if (::poll(&ready, 1, 0) <= 0) return true;
    if (PQconsumeInput(connection_.get()) == 0) break;
    (void)PQisBusy(connection_.get());  // makes it look at what has come
  }
  close();
  return false;
}

void postgresql_session::close() noexcept {
  running_ = false;
  all_changes_ = nullptr;
  commands_.clear();
  bound_ = {};
  failure_.reset();
  statements_.clear();
  connection_.reset();
}

bool postgresql_session::clean() const noexcept {
  return !running_ && (connection_ == nullptr || PQtransactionStatus(connection_.get()) == PQTRANS_IDLE);
}

error postgresql_session::lost() {
  // What the server has said before it hung up tells more than that it did.
  const error why = failure_ ? *failure_ : connection_error(connection_.get());
  close();
  return why;
}

// --- sending --------------------------------------------------------------------------------------------------------

void postgresql_session::begin_pipeline() {
  commands_.clear();
  at_ = 0;
  changes_ = 0;
  failure_.reset();
  rows_given_ = false;
  running_ = true;
}

bool postgresql_session::send_surplus() {
  while (statement* surplus = statements_.surplus()) {
    const std::string sql = "DEALLOCATE " + surplus->name;
    statements_.drop_surplus();
    if (PQsendQueryParams(connection_.get(), sql.c_str(), 0, nullptr, nullptr, nullptr, nullptr, 0) != 1) return false;
    commands_.push_back({command::forget, nullptr});
  }
  return true;
}

bool postgresql_session::send_statement(std::string_view sql, const parameters& bound) {
  statement* known = statements_.find(sql);
  if (known == nullptr) {
    known =
        &statements_.add(sql, {.name = "t" + std::to_string(++prepared_), .sql = std::string(sql), .names = nullptr});
    if (PQsendPrepare(connection_.get(), known->name.c_str(), known->sql.c_str(), 0, nullptr) != 1) return false;
    commands_.push_back({command::prepare, known});
  }
  encoded_.assign(bound);
  commands_.push_back({command::execute, known});
  return PQsendQueryPrepared(connection_.get(), known->name.c_str(), encoded_.count(), encoded_.values(),
                             encoded_.lengths(), encoded_.formats(), 0) == 1;
}

bool postgresql_session::send(std::string_view sql, const parameters& bound) {
  begin_pipeline();
  const bool sent = (statements_.find(sql) != nullptr || send_surplus()) && send_statement(sql, bound) &&
                    PQpipelineSync(connection_.get()) == 1;
  // If it is the first one, its rows are asked for one by one now; otherwise when its turn comes.
  if (sent && commands_.front().what == command::execute) PQsetSingleRowMode(connection_.get());
  return sent;
}

task<result<progress>> postgresql_session::start(std::string_view sql, parameters bound, row_block* into) {
  if (!connected()) return failed(error(error_kind::unavailable, "", "the connection was lost before"));
  if (auto refused = refuse(bound)) return failed(*std::move(refused));
  bound_ = std::move(bound);
  sent_again_ = false;
  committing_ = sql == "COMMIT";
  if (into != nullptr) into->begin(nullptr);
  if (!send(sql, bound_)) return failed(lost());
  const int left = PQflush(connection_.get());
  if (left < 0) return failed(lost());
  return left == 0 ? collect(into) : flush_and_collect(into);
}

task<result<void>> postgresql_session::flush() {
  for (;;) {
    const int left = PQflush(connection_.get());
    if (left == 0) co_return result<void>();
    if (left < 0) co_return std::unexpected(lost());
    // The server may want to be read from before it reads on.
    const int fd = PQsocket(connection_.get());
    auto ready = co_await tare::when_any(writable(fd), readable(fd));
    const auto waited = ready.index() == 0 ? std::get<0>(std::move(ready)) : std::get<1>(std::move(ready));
    if (!waited || PQconsumeInput(connection_.get()) == 0) co_return std::unexpected(lost());
  }
}

task<result<progress>> postgresql_session::flush_and_collect(row_block* into) {
  auto sent = co_await flush();
  if (!sent) co_return std::unexpected(std::move(sent.error()));
  co_return co_await collect(into);
}

// --- receiving ------------------------------------------------------------------------------------------------------

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

bool postgresql_session::take(const PGresult& got, row_block* into) {
  const ExecStatusType status = PQresultStatus(&got);
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
      if (now.what != command::execute) break;
      const char* tag = PQcmdTuples(const_cast<PGresult*>(&got));
      const char* state = PQcmdStatus(const_cast<PGresult*>(&got));
      changes_ = 0;
      // The tag of a query counts the rows it has given.
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
      if (!failure_) failure_ = postgresql_error(got);
      break;
    default:
      // COPY, which needs calls of its own; to go on would mean to wait for ever.
      if (!failure_) failure_.emplace(error_kind::syntax, "", "COPY to or from the client is not supported");
      connection_.reset();
  }
  return false;
}

void postgresql_session::command_ended(bool wants_rows) noexcept {
  if (at_ < commands_.size()) ++at_;
  if (wants_rows && at_ < commands_.size() && commands_[at_].what == command::execute) {
    PQsetSingleRowMode(connection_.get());
  }
}

bool postgresql_session::finish() {
  const bool stale = failure_ && (failure_->code() == "0A000" || failure_->code() == "26000");
  const bool prepared_now =
      std::ranges::any_of(commands_, [](const sent_command& each) { return each.what == command::prepare; });
  std::string useless;
  if (stale && !prepared_now && commands_.back().about != nullptr) useless = commands_.back().about->sql;

  // Of what was to be prepared after an error the server knows nothing.
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
    (void)PQgetResult(connection);  // tells libpq that there is nothing more
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
      (void)PQgetResult(connection);
      break;
    }
    (void)take(*got, nullptr);
    if (!connected()) co_return std::unexpected(lost());
  }
  if (!pipelined && PQenterPipelineMode(connection) != 1) co_return std::unexpected(lost());
  sent_again_ = true;
  (void)finish();
  co_return result<void>();
}

// --- whole operations -----------------------------------------------------------------------------------------------

task<result<std::vector<std::uint64_t>>> postgresql_session::run(const batch& all) {
  std::vector<std::uint64_t> changes;
  if (!connected()) {
    co_return std::unexpected(error(error_kind::unavailable, "", "the connection was lost before"));
  }
  for (const batch::statement& each : all.statements()) {
    if (auto refused = refuse(each.bound)) co_return std::unexpected(*std::move(refused));
  }
  if (all.size() == 0) co_return changes;
  changes.reserve(all.size());
  committing_ = false;
  sent_again_ = true;
  begin_pipeline();
  if (!send_surplus()) co_return std::unexpected(lost());
  std::size_t put = 0;
  for (const batch::statement& each : all.statements()) {
    if (!send_statement(each.sql, each.bound)) co_return std::unexpected(lost());
    if (++put % statements_a_flush != 0) continue;
    auto sent = co_await flush();
    if (!sent) co_return std::unexpected(std::move(sent.error()));
  }
  if (PQpipelineSync(connection_.get()) != 1) co_return std::unexpected(lost());
  all_changes_ = &changes;
  auto sent = co_await flush();
  if (!sent) co_return std::unexpected(std::move(sent.error()));
  std::optional<result<progress>> done;
  try {
    done = co_await collect(nullptr);
  } catch (...) {
    all_changes_ = nullptr;
    throw;
  }
  all_changes_ = nullptr;
  if (!*done) co_return std::unexpected(std::move(done->error()));
  co_return changes;
}

task<result<void>> postgresql_session::run_script(std::string_view sql) {
  if (!connected()) {
    co_return std::unexpected(error(error_kind::unavailable, "", "the connection was lost before"));
  }
  const std::string text(sql);
  begin_pipeline();
  committing_ = false;
  // The protocol that takes several statements at once knows no pipeline.
  if (PQexitPipelineMode(connection_.get()) != 1 || PQsendQuery(connection_.get(), text.c_str()) != 1) {
    co_return std::unexpected(lost());
  }
  PQsetSingleRowMode(connection_.get());
  commands_.push_back({command::execute, nullptr});
  auto done = co_await drain();
  if (!done) co_return done;
  if (auto failure = std::exchange(failure_, std::nullopt)) co_return std::unexpected(*std::move(failure));
  co_return done;
}

task<result<void>> postgresql_session::begin(transaction_options options) {
  std::string sql = std::string("BEGIN") + text_of(options.level);
  if (options.read_only) sql += " READ ONLY";
  auto begun = co_await start(sql, {}, nullptr);
  if (!begun) co_return std::unexpected(std::move(begun.error()));
  co_return result<void>();
}

task<result<void>> postgresql_session::ask_to_cancel() {
  const pq<PGcancel> cancel(PQgetCancel(connection_.get()));
  std::array<char, 256> why{};
  // It makes a connection of its own and waits for it to end: by then the server has been told.
  auto ask = [&] { return cancel != nullptr && PQcancel(cancel.get(), why.data(), why.size()) == 1; };
  const bool asked = co_await offload(std::move(ask));
  if (!asked) co_return std::unexpected(error(error_kind::unavailable, "", why.data()));
  co_return result<void>();
}

task<result<void>> postgresql_session::settle() {
  if (!running_) co_return result<void>();
  auto done = co_await drain();
  if (!done) co_return done;
  if (auto failure = std::exchange(failure_, std::nullopt)) co_return std::unexpected(*std::move(failure));
  co_return done;
}

task<result<void>> postgresql_session::reset() {
  if (!connected()) {
    close();
    co_return result<void>();
  }
  for (auto tries = cancel_limit / cancel_pause; running_; --tries) {
    if (tries == 0) co_return std::unexpected(error(error_kind::unavailable, "", "the server does not stop the query"));
    auto asked = co_await ask_to_cancel();
    if (!asked) co_return asked;
    auto in_time = co_await tare::timeout(cancel_pause, drain());
    if (in_time && !*in_time) co_return *std::move(in_time);
  }
  failure_.reset();
  if (PQtransactionStatus(connection_.get()) == PQTRANS_IDLE) co_return result<void>();
  auto in_time = co_await tare::timeout(cancel_limit, start("ROLLBACK", {}, nullptr));
  if (!in_time) co_return std::unexpected(error(error_kind::unavailable, "", "the server does not roll back"));
  if (!*in_time) co_return std::unexpected(std::move(in_time->error()));
  co_return result<void>();
}

}  // namespace tare::db::detail
