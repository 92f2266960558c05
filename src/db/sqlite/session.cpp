#include "db/sqlite/session.hpp"

#include <tare/error.hpp>
#include <tare/offload.hpp>
#include <tare/timeout.hpp>

#include <utility>

namespace tare::db::detail {

/// Runs `call` on the blocking pool; cancellation interrupts it.
template <class Call>
auto sqlite_session::blocking(Call call) {
  connection_.allow();
  auto interrupt = [this]() noexcept { connection_.interrupt(); };
  return offload(std::move(call), std::move(interrupt));
}

namespace {

/// A call that was interrupted because its task is cancelled has no result.
template <class T>
void throw_if_interrupted(const sqlite_connection& connection, const result<T>& done) {
  if (done || !connection.interrupted()) return;
  // An interrupted wait for a lock ends with "busy".
  const error_kind kind = done.error().kind();
  if (kind == error_kind::cancelled || kind == error_kind::busy) throw cancelled();
}

}  // namespace

void sqlite_session::end_of_call() noexcept {
  if (running_ == nullptr && !connection_.in_transaction()) writing_.release();
}

task<result<void>> sqlite_session::connect() {
  auto open = [this] { return connection_.open(shared_.path, shared_.options); };
  co_return co_await offload(std::move(open));
}

task<result<void>> sqlite_session::wait_for_turn() {
  if (writing_) co_return result<void>();
  writing_ = shared_.writer.try_lock();
  if (writing_) co_return result<void>();
  auto turn = co_await tare::timeout(shared_.options.busy_limit, shared_.writer.lock());
  if (!turn) {
    co_return std::unexpected(error(error_kind::busy, "", "another writer held the database for the whole time limit"));
  }
  writing_ = *std::move(turn);
  co_return result<void>();
}

task<result<progress>> sqlite_session::start(std::string_view sql, parameters bound, row_block* into) {
  sqlite_connection::statement* statement = connection_.find(sql);
  if (statement == nullptr) {
    auto prepare = [this, sql] { return connection_.prepare(sql); };
    auto prepared = co_await blocking(std::move(prepare));
    throw_if_interrupted(connection_, prepared);
    if (!prepared) co_return std::unexpected(std::move(prepared.error()));
    statement = *prepared;
  }
  if (statement->writes && !writing_) {
    auto turn = co_await wait_for_turn();
    if (!turn) co_return std::unexpected(std::move(turn.error()));
  }
  running_ = statement;
  auto run = [this, &bound, into]() -> result<progress> {
    auto ready = connection_.bind(*running_, bound);
    bound = {};
    if (!ready) {
      connection_.reset(*running_);
      return std::unexpected(std::move(ready.error()));
    }
    return connection_.step(*running_, into);
  };
  auto done = co_await blocking(std::move(run));
  if (!done || done->finished) running_ = nullptr;
  end_of_call();
  throw_if_interrupted(connection_, done);
  co_return done;
}

task<result<progress>> sqlite_session::more(row_block& into) {
  auto step = [this, &into] { return connection_.step(*running_, &into); };
  auto done = co_await blocking(std::move(step));
  if (!done || done->finished) running_ = nullptr;
  end_of_call();
  throw_if_interrupted(connection_, done);
  co_return done;
}

task<result<std::vector<std::uint64_t>>> sqlite_session::run(const batch& all) {
  auto turn = co_await wait_for_turn();
  if (!turn) co_return std::unexpected(std::move(turn.error()));
  auto run = [this, &all] { return connection_.run(all); };
  auto done = co_await blocking(std::move(run));
  end_of_call();
  throw_if_interrupted(connection_, done);
  co_return done;
}

task<result<void>> sqlite_session::run_script(std::string_view sql) {
  auto turn = co_await wait_for_turn();
  if (!turn) co_return turn;
  auto run = [this, sql] { return connection_.run_script(sql); };
  auto done = co_await blocking(std::move(run));
  end_of_call();
  throw_if_interrupted(connection_, done);
  co_return done;
}

task<result<void>> sqlite_session::begin(transaction_options options) {
  result<void> begun;
  if (options.read_only) {
    auto begin = [this] { return connection_.begin_read_only(); };
    begun = co_await blocking(std::move(begin));
    throw_if_interrupted(connection_, begun);
  } else {
    // It counts as a writer, so it waits for its turn here.
    auto started = co_await start("BEGIN IMMEDIATE", {}, nullptr);
    if (!started) begun = std::unexpected(std::move(started.error()));
  }
  co_return begun;
}

task<result<void>> sqlite_session::settle() {
  auto end = [this] {
    if (running_ != nullptr) connection_.reset(*running_);
  };
  co_await blocking(std::move(end));
  running_ = nullptr;
  end_of_call();
  co_return result<void>();
}

task<result<void>> sqlite_session::reset() {
  auto end = [this] {
    if (running_ != nullptr) connection_.reset(*running_);
    connection_.roll_back();
  };
  co_await blocking(std::move(end));
  running_ = nullptr;
  end_of_call();
  co_return result<void>();
}

void sqlite_session::close() noexcept {
  running_ = nullptr;
  connection_.close();
  writing_.release();
}

}  // namespace tare::db::detail
