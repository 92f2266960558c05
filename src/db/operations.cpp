#include "db/operations.hpp"

#include "db/row_stream.hpp"

#include <tare/error.hpp>

#include <memory>
#include <stdexcept>
#include <utility>

namespace tare::db::detail {

namespace {

/// Covers a statement that runs in a transaction: if it ends by an exception, the transaction has failed.
class attempt {
 public:
  explicit attempt(session& on) noexcept : on_(on) {}
  attempt(const attempt&) = delete;
  attempt& operator=(const attempt&) = delete;
  ~attempt() {
    if (!ended_ && on_.transacting && !on_.spoiled) {
      on_.spoiled.emplace(error_kind::cancelled, "", "a statement of the transaction was cancelled");
    }
  }

  template <class T>
  void end(const result<T>& with) {
    ended_ = true;
    if (!with) on_.spoil(with.error());
  }

 private:
  session& on_;
  bool ended_ = false;
};

void check_free(const session& on) {
  if (on.reading)
    throw std::logic_error("tare::db: a statement was started while rows of the same connection were being read");
}

/// Prepares the session for the next statement, if necessary.
task<result<void>> prepare(session& on) {
  if (on.spoiled) co_return std::unexpected(*on.spoiled);
  result<void> done;
  // Not a conditional expression: g++ 12 would destroy an error in its result twice.
  if (on.transacting) {
    done = co_await on.settle();
  } else {
    done = co_await on.reset();
  }
  if (!done) {
    on.spoil(done.error());
    on.close();
  }
  co_return done;
}

[[nodiscard]] bool fit(const session& on) noexcept { return !on.spoiled && !on.under_way(); }

/// Common to every statement: prepares the session, and marks the transaction as failed if the statement fails.
/// `Operation` has `start(session&)`, and `finish(lease, done)` for its result.
template <class Operation, class Outcome = typename Operation::outcome>
task<result<Outcome>> run_on(lease held, Operation operation) {
  session& on = *held;
  check_free(on);
  if (!fit(on)) {
    auto ready = co_await prepare(on);
    if (!ready) co_return std::unexpected(std::move(ready.error()));
  }
  attempt trying(on);
  auto done = co_await operation.start(on);
  trying.end(done);
  if (!done) co_return std::unexpected(std::move(done.error()));
  co_return operation.finish(std::move(held), std::move(done));
}

struct query_operation {
  using outcome = rows;
  std::string_view sql;
  parameters bound;
  std::unique_ptr<row_stream> stream = nullptr;

  task<result<progress>> start(session& on) {
    stream = std::make_unique<row_stream>();
    return on.start(sql, std::move(bound), &stream->block);
  }
  rows finish(lease held, const result<progress>& done) {
    if (!done->finished) {
      held->reading = true;
      stream->held = std::move(held);
    }
    return rows(std::move(stream));
  }
};

struct execute_operation {
  using outcome = std::uint64_t;
  std::string_view sql;
  parameters bound;

  task<result<progress>> start(session& on) { return on.start(sql, std::move(bound), nullptr); }
  static std::uint64_t finish(const lease& /*held*/, const result<progress>& done) { return done->changes; }
};

struct batch_operation {
  using outcome = std::vector<std::uint64_t>;
  batch all;

  task<result<outcome>> start(session& on) { return on.run(all); }
  static outcome finish(const lease& /*held*/, result<outcome> done) { return *std::move(done); }
};

struct script_operation {
  using outcome = void;
  std::string_view sql;

  task<result<void>> start(session& on) { return on.run_script(sql); }
  static result<void> finish(const lease& /*held*/, const result<void>& done) { return done; }
};

struct begin_operation {
  using outcome = transaction;
  transaction_options options;

  task<result<void>> start(session& on) { return on.begin(options); }
  static transaction finish(lease held, const result<void>& /*done*/) {
    held->transacting = true;
    return transaction(std::move(held));
  }
};

}  // namespace

task<result<rows>> query_on(lease held, std::string_view sql, parameters bound) {
  return run_on(std::move(held), query_operation{.sql = sql, .bound = std::move(bound)});
}

task<result<std::uint64_t>> execute_on(lease held, std::string_view sql, parameters bound) {
  return run_on(std::move(held), execute_operation{.sql = sql, .bound = std::move(bound)});
}

task<result<std::vector<std::uint64_t>>> execute_batch_on(lease held, batch all) {
  return run_on(std::move(held), batch_operation{.all = std::move(all)});
}

task<result<void>> execute_script_on(lease held, std::string_view sql) {
  return run_on(std::move(held), script_operation{.sql = sql});
}

task<result<transaction>> begin_on(lease held, transaction_options options) {
  if (held->transacting) throw std::logic_error("tare::db: a transaction was begun inside another one");
  return run_on(std::move(held), begin_operation{.options = options});
}

task<result<void>> commit(lease held) {
  session& on = *held;
  check_free(on);
  result<void> done;
  if (on.spoiled) {
    done = std::unexpected(*on.spoiled);
  } else if (on.under_way()) {
    done = co_await on.settle();
  }
  if (done) {
    auto committed = co_await on.start("COMMIT", {}, nullptr);
    if (!committed) done = std::unexpected(std::move(committed.error()));
  }
  if (!done && on.connected()) {
    auto undone = co_await on.reset();
    if (!undone) on.close();
  }
  on.transacting = false;
  on.spoiled.reset();
  co_return done;
}

task<result<void>> roll_back(lease held) {
  session& on = *held;
  check_free(on);
  result<void> done;
  if (on.connected()) {
    done = co_await on.reset();
    if (!done) on.close();
  }
  on.transacting = false;
  on.spoiled.reset();
  co_return done;
}

namespace {

/// Connects the session first.
template <auto Run, class... A>
auto connect_and(pool_core& from, lease held, A... arguments) -> decltype(Run(lease(), std::move(arguments)...)) {
  auto connected = co_await from.connect(*held);
  if (!connected) co_return std::unexpected(std::move(connected.error()));
  co_return co_await Run(std::move(held), std::move(arguments)...);
}

/// Lends the session that `slot` stands for to `Run`. Not inline, so that nothing of this is in the frame that waits.
template <auto Run, class... A>
[[gnu::noinline]] auto run_in(pool_core& from, semaphore_permit&& slot, A&&... arguments) {
  slot.forget();
  lease held = from.take();
  if (held->seems_alive()) return Run(std::move(held), std::forward<A>(arguments)...);
  return connect_and<Run>(from, std::move(held), std::forward<A>(arguments)...);
}

/// Waits for a session and continues with `Run`. Many of these may wait, so the work that follows has separate frames.
template <auto Run, class... A>
auto with_session_of(pool_core& from, A... arguments) -> decltype(Run(lease(), std::move(arguments)...)) {
  auto work = run_in<Run>(from, co_await from.slots().acquire(), std::move(arguments)...);
  co_return co_await std::move(work);
}

task<result<lease>> keep(lease held) {
  held->altered = true;
  co_return held;
}

}  // namespace

task<result<lease>> borrow(pool_core& from) { return with_session_of<&keep>(from); }

task<result<rows>> query(pool_core& from, std::string_view sql, parameters bound) {
  return with_session_of<&query_on>(from, sql, std::move(bound));
}

semaphore& slots_of(pool_core& pool) noexcept { return pool.slots(); }

task<result<rows>> query_in(pool_core& from, semaphore_permit&& slot, std::string_view sql, parameters&& bound) {
  return run_in<&query_on>(from, std::move(slot), sql, std::move(bound));
}

task<result<std::uint64_t>> execute(pool_core& from, std::string_view sql, parameters bound) {
  return with_session_of<&execute_on>(from, sql, std::move(bound));
}

task<result<std::vector<std::uint64_t>>> execute_batch(pool_core& from, batch all) {
  return with_session_of<&execute_batch_on>(from, std::move(all));
}

task<result<void>> execute_script(pool_core& from, std::string_view sql) {
  return with_session_of<&execute_script_on>(from, sql);
}

task<result<transaction>> begin(pool_core& from, transaction_options options) {
  return with_session_of<&begin_on>(from, options);
}

}  // namespace tare::db::detail

namespace tare::db {

namespace {

using detail::lease;

const lease& opened(const lease& held) {
  if (!held) throw std::logic_error("tare::db: the transaction is already over");
  return held;
}
const lease& opened(const lease&& held) = delete;

}  // namespace

task<result<rows>> connection::start_query(std::string_view sql, parameters bound) {
  return detail::query_on(held_, sql, std::move(bound));
}
task<result<std::uint64_t>> connection::start_execute(std::string_view sql, parameters bound) {
  return detail::execute_on(held_, sql, std::move(bound));
}
task<result<std::vector<std::uint64_t>>> connection::start_batch(batch all) {
  return detail::execute_batch_on(held_, std::move(all));
}
task<result<void>> connection::start_script(std::string_view sql) { return detail::execute_script_on(held_, sql); }
task<result<transaction>> connection::begin(transaction_options options) { return detail::begin_on(held_, options); }

task<result<rows>> transaction::start_query(std::string_view sql, parameters bound) {
  return detail::query_on(opened(held_), sql, std::move(bound));
}
task<result<std::uint64_t>> transaction::start_execute(std::string_view sql, parameters bound) {
  return detail::execute_on(opened(held_), sql, std::move(bound));
}
task<result<std::vector<std::uint64_t>>> transaction::start_batch(batch all) {
  return detail::execute_batch_on(opened(held_), std::move(all));
}
task<result<void>> transaction::start_script(std::string_view sql) {
  return detail::execute_script_on(opened(held_), sql);
}
task<result<void>> transaction::commit() {
  (void)opened(held_);
  return detail::commit(std::move(held_));
}
task<result<void>> transaction::rollback() {
  (void)opened(held_);
  return detail::roll_back(std::move(held_));
}

}  // namespace tare::db
