#pragma once

// A database of SQLite on the disk of a host: a program that fills it, and what must hold afterwards.

#include <tare/sim.hpp>
#include <tare/tare.hpp>

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <chrono>
#include <string>

namespace sqlite_items {

using namespace std::chrono_literals;

/// SQLite without our client. Like that, it has no mutex of its own: a crash waits for threads that hold one.
class connection {
 public:
  explicit connection(const char* path) {
    constexpr int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    error_ = sqlite3_open_v2(path, &handle_, flags, nullptr);
  }
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;
  ~connection() { sqlite3_close(handle_); }

  bool run(const std::string& sql) {
    error_ = sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr);
    return error_ == SQLITE_OK;
  }
  /// The text of the first column of the first row, or the error.
  std::string first(const char* sql) {
    std::string text;
    error_ = sqlite3_exec(
        handle_, sql,
        [](void* into, int /*columns*/, char** values, char** /*names*/) {
          auto& first = *static_cast<std::string*>(into);
          if (first.empty()) first = values[0] == nullptr ? "null" : values[0];
          return 0;
        },
        &text, nullptr);
    return error_ == SQLITE_OK ? text : sqlite3_errmsg(handle_);
  }
  void wait_for_locks(std::chrono::milliseconds most) { sqlite3_busy_timeout(handle_, static_cast<int>(most.count())); }
  [[nodiscard]] int error() const noexcept { return error_; }

 private:
  sqlite3* handle_ = nullptr;
  int error_ = SQLITE_OK;
};

/// How far the program of a host has come; it outlives the host.
struct progress {
  int begun = 0;      ///< transactions
  int committed = 0;  ///< of them
  bool ended = false;
};
inline progress reached;

inline constexpr int transactions = 4;

/// Each transaction adds two rows, and changes one of the row of all.
inline void add(connection& to, int number) {
  ++reached.begun;
  const std::string value = std::to_string(number);
  if (to.run("BEGIN IMMEDIATE; INSERT INTO t VALUES (" + value + ", zeroblob(3000)); INSERT INTO t VALUES (-" + value +
             ", NULL); UPDATE total SET n = n + 1; COMMIT")) {
    ++reached.committed;
  } else {
    (void)to.run("ROLLBACK");
  }
}

/// With a rollback journal, SQLite syncs the end of a transaction only if told so (`EXTRA`): it is the removal of the
/// journal.
inline constexpr const char* with_wal = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL";
inline constexpr const char* with_journal = "PRAGMA journal_mode = DELETE; PRAGMA synchronous = EXTRA";

inline void add_all(const char* settings) {
  connection to("/data/items.db");
  if (!to.run(settings)) return;
  if (!to.run("BEGIN; CREATE TABLE t (n INTEGER, b BLOB); CREATE TABLE total (n INTEGER);"
              "INSERT INTO total VALUES (0); COMMIT")) {
    return;
  }
  for (int i = 1; i <= transactions; ++i) add(to, i);
}

/// What is in the database is what has been committed, perhaps with a transaction that has failed or was under way.
inline void check_database() {
  connection to("/data/items.db");
  EXPECT_EQ(to.first("PRAGMA integrity_check"), "ok");
  if (to.first("SELECT count(*) FROM sqlite_master") == "0") {
    EXPECT_EQ(reached.committed, 0);
    return;
  }
  const int total = std::stoi(to.first("SELECT n FROM total"));
  EXPECT_GE(total, reached.committed);
  EXPECT_LE(total, reached.begun);
  EXPECT_EQ(to.first("SELECT count(*) FROM t"), std::to_string(2 * total));
  EXPECT_EQ(to.first("SELECT sum(n) FROM t"), total == 0 ? "null" : "0");
  EXPECT_TRUE(to.run("INSERT INTO t VALUES (0, NULL)"));
}

/// Runs on a thread of the host, as SQLite does in our client.
inline tare::task<> run_on(tare::sim::host& host, void (*program)()) {
  reached.ended = false;
  host.spawn([program]() -> tare::task<> {
    co_await tare::offload([program] { program(); });
    reached.ended = true;
  });
  while (host.is_up() && !reached.ended) co_await tare::sleep_for(1ms);
}

}  // namespace sqlite_items
