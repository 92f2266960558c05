#pragma once

// An SQLite connection. Everything here blocks: it runs on the blocking pool, on one thread at a time. Only `interrupt`
// may be called concurrently.

#include "db/session.hpp"
#include "db/statement_cache.hpp"

#include <tare/db/batch.hpp>
#include <tare/db/detail/row_block.hpp>
#include <tare/db/error.hpp>
#include <tare/db/pool.hpp>

#include <sqlite3.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace tare::db::detail {

class sqlite_connection {
 public:
  struct finalize {
    void operator()(sqlite3_stmt* statement) const noexcept { sqlite3_finalize(statement); }
  };
  struct statement {
    std::unique_ptr<sqlite3_stmt, finalize> handle;
    std::shared_ptr<const column_names> names;
    bool writes = false;
    std::int64_t changes_before = 0;  ///< of the connection, when the statement was started
  };

  explicit sqlite_connection(std::size_t cached_statements) : statements_(cached_statements) {}
  sqlite_connection(const sqlite_connection&) = delete;
  sqlite_connection& operator=(const sqlite_connection&) = delete;
  ~sqlite_connection() { close(); }

  [[nodiscard]] result<void> open(const std::string& path, const pool_options& options);
  [[nodiscard]] bool is_open() const noexcept { return handle_ != nullptr; }
  void close() noexcept;

  /// Does not block if it is cached.
  [[nodiscard]] statement* find(std::string_view sql) { return statements_.find(sql); }
  [[nodiscard]] result<statement*> prepare(std::string_view sql);

  [[nodiscard]] result<void> bind(statement& to, const parameters& bound);
  /// Steps until the statement ends or `into` is full; drops the rows if it is null. Resets the statement when it ends
  /// or fails.
  [[nodiscard]] result<progress> step(statement& running, row_block* into);
  void reset(statement& running) noexcept;

  /// Runs all of the statements, or none.
  [[nodiscard]] result<std::vector<std::uint64_t>> run(const batch& all);
  [[nodiscard]] result<void> run_script(std::string_view sql);

  [[nodiscard]] result<void> begin_read_only();
  void roll_back() noexcept;

  /// Any thread, but not during opening: makes the running call fail with SQLITE_INTERRUPT, until `allow` is called.
  void interrupt() noexcept;
  void allow() noexcept { stop_.store(false, std::memory_order_relaxed); }
  [[nodiscard]] bool interrupted() const noexcept { return stop_.load(std::memory_order_relaxed); }

  [[nodiscard]] bool in_transaction() const noexcept {
    return handle_ != nullptr && sqlite3_get_autocommit(handle_) == 0;
  }

 private:
  static int wait_for_lock(void* self, int calls) noexcept;
  static void add_row(sqlite3_stmt* from, std::size_t columns, row_block& into);
  [[nodiscard]] result<void> configure(const pool_options& options);
  [[nodiscard]] result<void> execute(const char* sql);
  /// Runs `work` in its own transaction, unless one is open.
  template <class Work>
  [[nodiscard]] std::invoke_result_t<Work> all_or_none(Work work);
  void after_transaction() noexcept;

  sqlite3* handle_ = nullptr;
  std::chrono::milliseconds busy_limit_{};
  std::chrono::steady_clock::time_point busy_until_{};
  std::atomic<bool> stop_ = false;
  bool query_only_ = false;
  statement_cache<statement> statements_;
};

}  // namespace tare::db::detail
