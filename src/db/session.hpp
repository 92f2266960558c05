#pragma once

// One connection to a database, as the pool sees it: what SQLite and PostgreSQL have in common.
//
// A session is used by one task at a time. It is `clean` if nothing is under way on it and no transaction is open; only
// then is it lent. Statements leave it as it has to be by themselves, except when their task is cancelled or their rows
// are not read to the end: then `reset` has to run before the next one.

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

/// How far a statement has come.
struct progress {
  std::uint64_t changes = 0;
  bool finished = false;
};

/// Rows of about so many bytes are read at a time.
inline constexpr std::size_t block_bytes = 16384;

class session {
 public:
  session() = default;
  session(const session&) = delete;
  session& operator=(const session&) = delete;
  virtual ~session() = default;

  virtual task<result<void>> connect() = 0;
  [[nodiscard]] virtual bool connected() const noexcept = 0;
  /// Before it is lent: whether it is connected, as far as can be told without asking the other side.
  [[nodiscard]] virtual bool seems_alive() noexcept = 0;

  /// Runs a statement until it has ended or a block of rows is full; with `into` null, to its end, dropping the rows.
  virtual task<result<progress>> start(std::string_view sql, parameters bound, row_block* into) = 0;
  /// Goes on with it. Not after it has finished, or failed.
  virtual task<result<progress>> more(row_block& into) = 0;

  virtual task<result<std::vector<std::uint64_t>>> run(const batch& all) = 0;
  virtual task<result<void>> run_script(std::string_view sql) = 0;
  virtual task<result<void>> begin(transaction_options options) = 0;

  /// Ends the statement under way and keeps the transaction. With an error the session is to be closed.
  virtual task<result<void>> settle() = 0;
  /// Stops what is under way and rolls back. With an error the session is to be closed.
  virtual task<result<void>> reset() = 0;
  /// Without any politeness, at once.
  virtual void close() noexcept = 0;

  /// A statement has neither ended nor failed.
  [[nodiscard]] virtual bool under_way() const noexcept = 0;
  [[nodiscard]] virtual bool clean() const noexcept = 0;

  /// The open transaction has failed: it can only be rolled back.
  void spoil(const error& why) {
    if (transacting && !spoiled) spoiled = why;
  }

  std::shared_ptr<pool_core> home;  ///< while it is lent
  std::atomic<std::uint32_t> references = 0;
  bool reading = false;      ///< there are `rows` that are not at their end
  bool transacting = false;  ///< there is a `transaction`
  bool altered = false;      ///< lent as a `connection`, whose user may have changed its settings
  std::optional<error> spoiled;
};

/// Makes sessions, and holds what those of one pool share.
class database {
 public:
  database() = default;
  database(const database&) = delete;
  database& operator=(const database&) = delete;
  virtual ~database() = default;

  [[nodiscard]] virtual std::unique_ptr<session> make_session() = 0;
};

}  // namespace tare::db::detail
