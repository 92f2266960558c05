#pragma once

// Connections to one database, opened as they are needed, up to a cap, and lent in the order in which they are asked
// for. The same calls for SQLite and PostgreSQL.
//
//   auto db = tare::db::pool::open("sqlite:items.db");                    // or "postgresql://user@host/items"
//   if (!db) return complain(db.error());
//   auto name = co_await db->query_one<std::string>("SELECT name FROM items WHERE id = $1", id);
//
// Opening a pool opens no connection: a database that is down is an `unavailable` of the first call, and the calls work
// when it has come up. After a failed attempt to connect, calls fail at once until the next one is due: 50 ms later,
// doubled with each failure up to 1 s, and jittered.
//
// A PostgreSQL server on another machine needs TLS and its identity checked: "?sslmode=verify-full&sslrootcert=FILE".
// libpq's default, `prefer`, is neither: it goes on in the clear if the server wants, and believes any certificate.
// A statement is cancelled by a request in the clear, as PostgreSQL has it; over TLS, where that would give its key
// away, the connection is closed instead, and the server notices when it next sends something
// (`client_connection_check_interval` makes it look).
//
// SQLite runs on the blocking pool, in write-ahead logging; writers of one pool take turns, readers run beside them.
// PostgreSQL runs on the shard's reactor; its connections are used from every shard.
//
// Bytes: what a query holds in the frames while it waits for a connection, and while it has one: docs/bytes.md.

#include <tare/db/connection.hpp>
#include <tare/db/statements.hpp>
#include <tare/db/transaction.hpp>
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

/// What a commit is on disk when it returns, with SQLite (PRAGMA synchronous).
enum class durability : std::uint8_t {
  full,    ///< survives a power failure
  normal,  ///< survives a crash of the process; a power failure may undo the last commits, and damages nothing
};

struct pool_options {
  std::size_t connections = 8;         ///< the cap; 1 for an SQLite database in memory
  std::size_t cached_statements = 64;  ///< prepared ones that each connection keeps, the latest used
  std::chrono::milliseconds connect_limit{5000};
  std::chrono::milliseconds first_backoff{50};
  std::chrono::milliseconds longest_backoff{1000};
  /// SQLite: how long a statement waits for a lock before it fails with `busy`.
  std::chrono::milliseconds busy_limit{5000};
  durability durable = durability::full;
  /// PostgreSQL: what the user of an acquired `connection` may have left there goes when it comes back, as by DISCARD
  /// ALL: settings, roles, temporary tables, cursors, LISTEN, advisory locks. One round trip. What a statement of the
  /// pool itself or of a `transaction` leaves stays in any case.
  bool reset_connections = true;
};

namespace detail {
class pool_core;  // src/db/pool_core.hpp

template <class T>
inline constexpr bool is_result = false;
template <class T>
inline constexpr bool is_result<result<T>> = true;
}  // namespace detail

/// Move-only. May be used from every shard at the same time. Connections and transactions that are lent may outlive it.
class pool : public statements<pool> {
 public:
  /// `database` is "sqlite:PATH", "sqlite::memory:", or a URI of PostgreSQL ("postgresql://...", "postgres://..."; what
  /// it may contain is in PostgreSQL's documentation of libpq, "Connection URIs"). An error of kind `syntax` if it is
  /// neither, or was built without that database.
  [[nodiscard]] static result<pool> open(std::string_view database, pool_options options = {});

  pool(pool&&) noexcept;
  pool& operator=(pool&&) noexcept;
  pool(const pool&) = delete;
  pool& operator=(const pool&) = delete;
  /// Closes the connections that are not lent; the others are closed when they come back.
  ~pool();

  /// Waits for a connection, and connects it if it is not yet, or no longer.
  [[nodiscard]] task<result<connection>> acquire();

  /// Begins a transaction on a connection of its own.
  [[nodiscard]] task<result<transaction>> begin(transaction_options options = {});

  /// Runs `body(transaction&)`, which gives a task<result<T>>, and commits if it has a value. If it has an error,
  /// throws, or is cancelled, the transaction has been rolled back when this returns or throws.
  template <std::invocable<transaction&> Body>
  [[nodiscard]] std::invoke_result_t<Body&, transaction&> transact(Body body, transaction_options options = {}) {
    return run_in_transaction<Body>(begin(options), std::move(body));
  }

  /// Waits until every lent connection has come back, and closes all, without holding up the shard. Calls that come
  /// later fail with `unavailable`.
  [[nodiscard]] task<> close();

  /// Of the cap, how many are lent at this moment.
  [[nodiscard]] std::size_t lent() const noexcept;
  [[nodiscard]] std::size_t capacity() const noexcept;

 private:
  friend class statements<pool>;
  explicit pool(std::shared_ptr<detail::pool_core> core) noexcept;
  [[nodiscard]] task<result<rows>> start_query(std::string_view sql, parameters bound);
  [[nodiscard]] task<result<std::uint64_t>> start_execute(std::string_view sql, parameters bound);
  [[nodiscard]] task<result<std::vector<std::uint64_t>>> start_batch(batch all);
  [[nodiscard]] task<result<void>> start_script(std::string_view sql);

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
