#pragma once

// A pool of connections to one database, opened on demand up to a maximum, and lent in order of request. The interface
// is the same for SQLite and PostgreSQL.
//
//   auto db = tare::db::pool::open("sqlite:items.db");                    // or "postgresql://user@host/items"
//   if (!db) return complain(db.error());
//   auto name = co_await db->query_one<std::string>("SELECT name FROM items WHERE id = $1", id);
//
// Opening a pool opens no connection. If the database is down, calls return `unavailable`; they succeed once it is up.
// After a failed attempt to connect, calls fail immediately until the next attempt is due: 50 ms later, doubled with
// each failure up to 1 s, with jitter.
//
// For a PostgreSQL server on another machine, use TLS and verify its identity: "?sslmode=verify-full&sslrootcert=FILE".
// libpq's default, `prefer`, ensures neither: it continues without TLS if the server wants that, and accepts any
// certificate. PostgreSQL cancels a statement by an unencrypted request. Over TLS, that would disclose the connection's
// cancel key, so the connection is closed instead; the server notices when it next sends something, or earlier with
// `client_connection_check_interval`.
//
// SQLite runs on the blocking pool, with write-ahead logging; the writers of a pool take turns, and readers run
// concurrently. PostgreSQL runs on the shard's reactor; every shard can use its connections.
//
// **Bytes** What a query holds while it waits for a connection and while it has one: docs/bytes.md.

#include <tare/db/connection.hpp>
#include <tare/db/statements.hpp>
#include <tare/db/transaction.hpp>
#include <tare/semaphore.hpp>
#include <tare/shield.hpp>

#include <chrono>
#include <concepts>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace tare::db {

/// What a commit guarantees with SQLite when it returns (PRAGMA synchronous).
enum class durability : std::uint8_t {
  full,    ///< survives a power failure
  normal,  ///< survives a crash of the process; a power failure may undo the last commits, but never damages the
           ///< database
};

struct pool_options {
  std::size_t connections = 8;         ///< maximum; 1 for an in-memory SQLite database
  std::size_t cached_statements = 64;  ///< most recently used prepared statements that each connection keeps
  std::chrono::milliseconds connect_limit{5000};
  std::chrono::milliseconds first_backoff{50};
  std::chrono::milliseconds longest_backoff{1000};
  /// SQLite: how long a statement waits for a lock before it fails with `busy`.
  std::chrono::milliseconds busy_limit{5000};
  durability durable = durability::full;
  /// PostgreSQL: when an acquired `connection` is returned, resets its state as by DISCARD ALL: settings, roles,
  /// temporary tables, cursors, LISTEN, advisory locks. Costs one round trip. State left by statements of the pool
  /// itself or of a `transaction` is not reset.
  bool reset_connections = true;
};

namespace detail {
class pool_core;  // src/db/pool_core.hpp

/// The pool's connections, as permits.
[[nodiscard]] semaphore& slots_of(pool_core& pool) noexcept;
/// Begins a query on the connection that `slot` stands for.
task<result<rows>> query_in(pool_core& from, semaphore_permit&& slot, std::string_view sql, parameters&& bound);

/// While it waits for a connection, the call has no other frame.
template <class... T>
task<result<std::optional<typename one_row<T...>::type>>> first_row_from(pool_core& from, std::string_view sql,
                                                                         parameters bound) {
  auto reading = first_row_of<T...>(query_in(from, co_await slots_of(from).acquire(), sql, std::move(bound)));
  co_return co_await std::move(reading);
}

template <class T>
inline constexpr bool is_result = false;
template <class T>
inline constexpr bool is_result<result<T>> = true;
}  // namespace detail

/// Move-only. Connections and transactions taken from it may outlive it.
///
/// **Errors** As for every statement (statements.hpp); `unavailable` if no connection can be made within
/// `connect_limit`.
/// **Cancellation** While a call waits for a connection, nothing has been sent and nothing is taken; afterwards as for
/// every statement. **Threads** Any shard may use it concurrently.
class pool : public statements<pool> {
 public:
  /// `database` is "sqlite:PATH", "sqlite::memory:", or a PostgreSQL URI ("postgresql://...", "postgres://..."; see
  /// "Connection URIs" in PostgreSQL's documentation of libpq).
  ///
  /// **Errors** `syntax` if it is neither, or if the library was built without that database.
  [[nodiscard]] static result<pool> open(std::string_view database, pool_options options = {});

  pool(pool&&) noexcept;
  pool& operator=(pool&&) noexcept;
  pool(const pool&) = delete;
  pool& operator=(const pool&) = delete;
  /// Closes the idle connections; lent connections are closed when they are returned.
  ~pool();

  /// Waits for a connection, and connects it if necessary.
  task<result<connection>> acquire();

  /// Begins a transaction on a connection of its own.
  task<result<transaction>> begin(transaction_options options = {});

  /// Runs `body(transaction&)`, which must return a task<result<T>>, and commits if the result has a value. If it is an
  /// error, or if `body` throws or is cancelled, the transaction has been rolled back when this returns or throws.
  template <std::invocable<transaction&> Body>
  [[nodiscard]] std::invoke_result_t<Body&, transaction&> transact(Body body, transaction_options options = {}) {
    return run_in_transaction<Body>(begin(options), std::move(body));
  }

  /// Waits until every lent connection has been returned, and closes all connections without blocking the shard. Later
  /// calls fail with `unavailable`. **Cancellation** The pool stays closed; a connection that is lent is closed when it
  /// is returned.
  task<> close();

  /// Number of connections currently lent, at most `capacity()`.
  [[nodiscard]] std::size_t lent() const noexcept;
  [[nodiscard]] std::size_t capacity() const noexcept;

 private:
  friend class statements<pool>;
  explicit pool(std::shared_ptr<detail::pool_core> core) noexcept;
  task<result<rows>> start_query(std::string_view sql, parameters bound);
  task<result<std::uint64_t>> start_execute(std::string_view sql, parameters bound);
  task<result<std::vector<std::uint64_t>>> start_batch(batch all);
  task<result<void>> start_script(std::string_view sql);
  template <class... T>
  auto start_first(std::string_view sql, parameters bound) {
    return detail::first_row_from<T...>(*core_, sql, std::move(bound));
  }

  template <class Body>
  static std::invoke_result_t<Body&, transaction&> run_in_transaction(task<result<transaction>> begun, Body body) {
    using outcome = typename std::invoke_result_t<Body&, transaction&>::value_type;
    static_assert(detail::is_result<outcome>, "the body gives a task<result<T>>");
    auto tx = co_await std::move(begun);
    if (!tx) co_return std::unexpected(std::move(tx.error()));
    std::exception_ptr thrown;
    outcome made = std::unexpected(error(error_kind::other, "", ""));
    try {
      made = co_await std::invoke(body, *tx);
    } catch (...) {
      thrown = std::current_exception();
    }
    if (thrown || !made) {
      if (tx->open()) (void)co_await tare::shield(tx->rollback());
      if (thrown) std::rethrow_exception(std::move(thrown));
      co_return made;
    }
    if (auto done = co_await tx->commit(); !done) co_return std::unexpected(std::move(done.error()));
    co_return made;
  }

  std::shared_ptr<detail::pool_core> core_;
};

}  // namespace tare::db
