#pragma once

// A connection to a database, as used by the pool: the interface common to SQLite and PostgreSQL.
//
// A session is used by one task at a time. It is `clean` if no statement is running and no transaction is open; only
// then is it lent. Statements normally leave it clean. If their task is cancelled or their rows are not read to the
// end, `reset` must run before the next statement.

#include <tare/db/batch.hpp>
#include <tare/db/detail/row_block.hpp>
#include <tare/db/error.hpp>
#include <tare/db/parameters.hpp>
#include <tare/db/transaction.hpp>
#include <tare/task.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

namespace tare::db::detail {

class pool_core;

/// The progress of a statement.
struct progress {
  std::uint64_t changes = 0;
  bool finished = false;
};

/// Approximate number of bytes of rows that are read at a time.
inline constexpr std::size_t block_bytes = 16384;

class session {
 public:
  session() = default;
  session(const session&) = delete;
  session& operator=(const session&) = delete;
  virtual ~session() = default;

  virtual task<result<void>> connect() = 0;
  [[nodiscard]] virtual bool connected() const noexcept = 0;
  /// Called before it is lent: whether it is connected, as far as is known without a round trip.
  [[nodiscard]] virtual bool seems_alive() noexcept = 0;

  /// Runs a statement until it has ended or a block of rows is full; if `into` is null, runs to its end and drops the
  /// rows.
  virtual task<result<progress>> start(std::string_view sql, parameters bound, row_block* into) = 0;
  /// Continues the statement. Not allowed after it has finished or failed.
  virtual task<result<progress>> more(row_block& into) = 0;

  virtual task<result<std::vector<std::uint64_t>>> run(const batch& all) = 0;
  virtual task<result<void>> run_script(std::string_view sql) = 0;
  virtual task<result<void>> begin(transaction_options options) = 0;

  /// Ends the running statement and keeps the transaction. On an error, close the session.
  virtual task<result<void>> settle() = 0;
  /// Stops the running statement and rolls back. On an error, close the session.
  virtual task<result<void>> reset() = 0;
  /// Closes it abruptly and immediately.
  virtual void close() noexcept = 0;

  /// A statement is running: it has neither ended nor failed.
  [[nodiscard]] virtual bool under_way() const noexcept = 0;
  [[nodiscard]] virtual bool clean() const noexcept = 0;

  /// The open transaction has failed: it can only be rolled back.
  void spoil(const error& why) {
    if (transacting && !spoiled) spoiled = why;
  }

  std::shared_ptr<pool_core> home;  ///< set while it is lent
  std::atomic<std::uint32_t> references = 0;
  bool reading = false;      ///< `rows` have not been read to the end
  bool transacting = false;  ///< a `transaction` exists
  bool altered = false;      ///< lent as a `connection`, whose user may have changed its settings
  std::optional<error> spoiled;
};

/// Creates sessions, and holds the state shared by the sessions of one pool.
class database {
 public:
  database() = default;
  database(const database&) = delete;
  database& operator=(const database&) = delete;
  virtual ~database() = default;

  [[nodiscard]] virtual std::unique_ptr<session> make_session() = 0;
};

}  // namespace tare::db::detail
