#pragma once

// Statements that take effect together or not at all.
//
//   auto tx = co_await db.begin();
//   if (!tx) co_return std::unexpected(tx.error());
//   auto taken = co_await tx->execute("UPDATE accounts SET balance = balance - $1 WHERE id = $2", sum, from);
//   auto given = co_await tx->execute("UPDATE accounts SET balance = balance + $1 WHERE id = $2", sum, to);
//   auto done = co_await tx->commit();              // fails if any of the statements has failed
//
// A transaction that is destroyed without a commit, including by an exception or cancellation, is rolled back in the
// background; its connection is lent again afterwards. `pool::transact` waits for the rollback.
//
// **Bytes** 8.

#include <tare/db/detail/lease.hpp>
#include <tare/db/statements.hpp>

#include <cstdint>
#include <utility>

namespace tare::db {

enum class isolation : std::uint8_t {
  standard,      ///< the database's default: read committed for PostgreSQL; SQLite is always serializable
  repeatable,    ///< PostgreSQL's repeatable read
  serializable,  ///< may fail with `busy` at any statement and at the commit
};

struct transaction_options {
  isolation level = isolation::standard;
  /// With SQLite, transactions that may write wait for their turn when they begin; read-only ones run concurrently.
  bool read_only = false;
};

/// Move-only. One statement at a time, as for a connection.
///
/// **Threads** Tasks of any shard, one at a time.
class transaction : public statements<transaction> {
 public:
  /// For the library.
  explicit transaction(detail::lease held) noexcept : held_(std::move(held)) {}
  transaction(transaction&&) noexcept = default;
  transaction& operator=(transaction&&) noexcept = default;
  transaction(const transaction&) = delete;
  transaction& operator=(const transaction&) = delete;
  ~transaction() = default;

  /// Makes all changes permanent. If a statement has failed or was cancelled, rolls back and returns that error, with
  /// both databases, no matter how the program has handled the error. If the commit itself fails, everything is rolled
  /// back, except that after `unavailable` the outcome is unknown. The transaction is over in any case.
  ///
  /// **Errors** Those of the database and of earlier statements. Throws std::logic_error if it is over.
  /// **Cancellation** All changes are permanent or none; which, is unknown.
  task<result<void>> commit();

  /// Undoes all changes. Runs to completion even if the task is being cancelled. The transaction is over in any case.
  task<result<void>> rollback();

  /// False after `commit` and `rollback`: then every call throws std::logic_error.
  [[nodiscard]] bool open() const noexcept { return static_cast<bool>(held_); }

 private:
  friend class statements<transaction>;
  task<result<rows>> start_query(std::string_view sql, parameters bound);
  task<result<std::uint64_t>> start_execute(std::string_view sql, parameters bound);
  task<result<std::vector<std::uint64_t>>> start_batch(batch all);
  task<result<void>> start_script(std::string_view sql);

  detail::lease held_;
};

}  // namespace tare::db
