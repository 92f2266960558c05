#include "db/postgresql/session.hpp"

#include "db/postgresql/error.hpp"
#include "db/postgresql/login.hpp"

#include <poll.h>

#include <utility>

namespace tare::db::detail {

namespace {

// Number of statements of a batch that are put into libpq's buffer before it is sent.
constexpr std::size_t statements_per_flush = 64;

const char* clause_of(isolation level) noexcept {
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

/// While it exists, the changes of each statement go into a list of the batch, whose task may be cancelled.
class counting_changes {
 public:
  counting_changes(std::vector<std::uint64_t>*& where, std::vector<std::uint64_t>& list) noexcept : where_(where) {
    where_ = &list;
  }
  counting_changes(const counting_changes&) = delete;
  counting_changes& operator=(const counting_changes&) = delete;
  ~counting_changes() { where_ = nullptr; }

 private:
  std::vector<std::uint64_t>*& where_;
};

}  // namespace

// --- the connection -------------------------------------------------------------------------------------------------

task<result<void>> postgresql_session::connect() {
  close();
  auto made = co_await log_in(shared_.login);
  if (!made) co_return std::unexpected(std::move(made.error()));
  connection_ = std::move(made->connection);
  cancel_ = made->cancel;
  co_return result<void>();
}

bool postgresql_session::connected() const noexcept {
  return connection_ != nullptr && PQstatus(connection_.get()) == CONNECTION_OK;
}

bool postgresql_session::seems_alive() noexcept {
  // While it is idle, only a shutdown message or a notice should arrive from the server.
  while (connected()) {
    pollfd ready{.fd = PQsocket(connection_.get()), .events = POLLIN, .revents = 0};
    if (::poll(&ready, 1, 0) <= 0) return true;
    if (PQconsumeInput(connection_.get()) == 0) break;
    drop_notifications();  // which makes libpq process what has arrived
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
  surplus_.clear();
  cancel_.reset();
  unconfirmed_ = 0;
  connection_.reset();
}

bool postgresql_session::clean() const noexcept {
  if (connection_ == nullptr) return !running_;
  return !running_ && PQtransactionStatus(connection_.get()) == PQTRANS_IDLE && !is_altered();
}

error postgresql_session::lost_before() { return {error_kind::unavailable, "", "the connection was lost before"}; }

error postgresql_session::lost() {
  // The server's last message is more informative than the fact that it has disconnected.
  const error why = failure_ ? *failure_ : connection_error(connection_.get());
  close();
  return why;
}

// --- whole operations -----------------------------------------------------------------------------------------------

task<result<std::vector<std::uint64_t>>> postgresql_session::run(const batch& all) {
  std::vector<std::uint64_t> changes;
  if (!connected()) co_return std::unexpected(lost_before());
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
    if (++put % statements_per_flush != 0) continue;
    auto sent = co_await flush();
    if (!sent) co_return std::unexpected(std::move(sent.error()));
  }
  if (!send_sync()) co_return std::unexpected(lost());
  synced_ = true;
  auto sent = co_await flush();
  if (!sent) co_return std::unexpected(std::move(sent.error()));
  const counting_changes counting(all_changes_, changes);
  auto done = co_await collect(nullptr);
  if (!done) co_return std::unexpected(std::move(done.error()));
  co_return changes;
}

task<result<void>> postgresql_session::run_script(std::string_view sql) {
  if (!connected()) co_return std::unexpected(lost_before());
  const std::string text(sql);
  begin_pipeline();
  committing_ = false;
  // The protocol for several statements at once does not support pipelines.
  if (PQexitPipelineMode(connection_.get()) != 1 || PQsendQuery(connection_.get(), text.c_str()) != 1) {
    co_return std::unexpected(lost());
  }
  PQsetSingleRowMode(connection_.get());
  commands_.push_back({.what = command::execute, .about = nullptr});
  auto done = co_await drain();
  if (!done) co_return done;
  if (auto failure = std::exchange(failure_, std::nullopt)) co_return std::unexpected(*std::move(failure));
  co_return done;
}

task<result<void>> postgresql_session::begin(transaction_options options) {
  std::string sql = std::string("BEGIN") + clause_of(options.level);
  if (options.read_only) sql += " READ ONLY";
  auto begun = co_await start(sql, {}, nullptr);
  if (!begun) co_return std::unexpected(std::move(begun.error()));
  co_return result<void>();
}

task<result<void>> postgresql_session::settle() {
  if (!running_) co_return result<void>();
  auto done = co_await drain();
  if (!done) co_return done;
  if (auto failure = std::exchange(failure_, std::nullopt)) co_return std::unexpected(*std::move(failure));
  co_return done;
}

}  // namespace tare::db::detail
