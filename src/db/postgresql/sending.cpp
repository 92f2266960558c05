// Sends statements through libpq's pipeline.

#include "db/postgresql/session.hpp"

#include <tare/net/readiness.hpp>
#include <tare/when.hpp>

#include <utility>

namespace tare::db::detail {

namespace {

task<net::result<void>> readable(int fd) { co_return co_await net::wait_readable(fd); }
task<net::result<void>> writable(int fd) { co_return co_await net::wait_writable(fd); }

task<result<progress>> failed(error why) { co_return std::unexpected(std::move(why)); }

}  // namespace

void postgresql_session::begin_pipeline() {
  commands_.clear();
  at_ = 0;
  changes_ = 0;
  failure_.reset();
  rows_given_ = false;
  syncs_ = 0;
  forgotten_ = 0;
  synced_ = false;
  running_ = true;
}

/// With a separate synchronization point, so that neither fails with the other.
bool postgresql_session::send_surplus() {
  while (statement* surplus = statements_.surplus()) {
    surplus_.push_back(surplus->name);
    statements_.drop_surplus();
  }
  if (surplus_.empty()) return true;
  for (const std::string& name : surplus_) {
    const std::string sql = "DEALLOCATE " + name;
    if (PQsendQueryParams(connection_.get(), sql.c_str(), 0, nullptr, nullptr, nullptr, nullptr, 0) != 1) return false;
    commands_.push_back({.what = command::forget, .about = nullptr});
  }
  return send_sync();
}

bool postgresql_session::send_sync() {
  ++syncs_;
  return PQpipelineSync(connection_.get()) == 1;
}

bool postgresql_session::send_statement(std::string_view sql, const parameters& bound) {
  statement* known = statements_.find(sql);
  if (known == nullptr) {
    known =
        &statements_.add(sql, {.name = "t" + std::to_string(++prepared_), .sql = std::string(sql), .names = nullptr});
    if (PQsendPrepare(connection_.get(), known->name.c_str(), known->sql.c_str(), 0, nullptr) != 1) return false;
    commands_.push_back({.what = command::prepare, .about = known});
  }
  encoded_.assign(bound);
  commands_.push_back({.what = command::execute, .about = known});
  return PQsendQueryPrepared(connection_.get(), known->name.c_str(), encoded_.count(), encoded_.values(),
                             encoded_.lengths(), encoded_.formats(), 0) == 1;
}

bool postgresql_session::send(std::string_view sql, const parameters& bound) {
  begin_pipeline();
  const bool sent = (statements_.find(sql) != nullptr || send_surplus()) && send_statement(sql, bound) && send_sync();
  // If it is the first statement, single-row mode is set now; otherwise when its turn comes.
  if (sent && commands_.front().what == command::execute) PQsetSingleRowMode(connection_.get());
  synced_ = sent;
  return sent;
}

task<result<progress>> postgresql_session::start(std::string_view sql, parameters bound, row_block* into) {
  if (!connected()) return failed(lost_before());
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
    // The server may need us to read before it continues to read.
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

}  // namespace tare::db::detail
