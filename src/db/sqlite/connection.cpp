#include "db/sqlite/connection.hpp"

#include "db/sqlite/error.hpp"

#include <algorithm>
#include <climits>
#include <cstdlib>
#include <thread>
#include <utility>

namespace tare::db::detail {

namespace {

// Instructions of SQLite's virtual machine between two checks for interruption.
constexpr int steps_between_looks = 1000;

int parameter_number(sqlite3_stmt* statement, int index) {
  // "$2" and "?2" mean the second value regardless of position; SQLite numbers "$2" by position.
  const char* name = sqlite3_bind_parameter_name(statement, index);
  if (name == nullptr || name[0] != '$') return index;
  char* end = nullptr;
  const long number = std::strtol(name + 1, &end, 10);
  return *end == '\0' && number > 0 && number <= INT_MAX ? static_cast<int>(number) : index;
}

std::shared_ptr<const column_names> names_of(sqlite3_stmt* statement) {
  auto names = std::make_shared<column_names>();
  const int columns = sqlite3_column_count(statement);
  for (int column = 0; column < columns; ++column) {
    const char* name = sqlite3_column_name(statement, column);
    names->emplace_back(name == nullptr ? "" : name);
  }
  return names;
}

int bind_value(sqlite3_stmt* statement, int index, value_view value) {
  switch (value.kind()) {
    case value_kind::null:
      return sqlite3_bind_null(statement, index);
    case value_kind::integer:
      return sqlite3_bind_int64(statement, index, value.integer());
    case value_kind::real:
      return sqlite3_bind_double(statement, index, value.real());
    case value_kind::boolean:
      return sqlite3_bind_int(statement, index, value.boolean() ? 1 : 0);
    case value_kind::text:
      // Copied by SQLite, because the statement may outlive the parameters of the call.
      return sqlite3_bind_text64(statement, index, value.text().data(), value.text().size(), SQLITE_TRANSIENT,
                                 SQLITE_UTF8);
    case value_kind::blob:
      return sqlite3_bind_blob64(statement, index, value.blob().data(), value.blob().size(), SQLITE_TRANSIENT);
  }
  return SQLITE_MISUSE;
}

}  // namespace

result<void> sqlite_connection::open(const std::string& path, const pool_options& options) {
  // Used by one thread at a time, so it needs no lock of its own.
  constexpr int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  if (const int code = sqlite3_open_v2(path.c_str(), &handle_, flags, nullptr); code != SQLITE_OK) {
    const error why = sqlite_error(handle_, code);
    close();
    // Whatever the reason, the connection could not be opened.
    return std::unexpected(error(error_kind::unavailable, why.code(), path + ": " + why.message()));
  }
  auto configured = configure(options);
  if (!configured) close();
  return configured;
}

result<void> sqlite_connection::configure(const pool_options& options) {
  busy_limit_ = options.busy_limit;
  sqlite3_busy_handler(handle_, &sqlite_connection::wait_for_lock, this);
  sqlite3_progress_handler(
      handle_, steps_between_looks,
      [](void* self) { return static_cast<sqlite_connection*>(self)->stop_.load(std::memory_order_relaxed) ? 1 : 0; },
      this);
  std::string settings = "PRAGMA journal_mode = WAL; PRAGMA foreign_keys = ON; PRAGMA synchronous = ";
  settings += options.durable == durability::full ? "FULL" : "NORMAL";
  busy_until_ = std::chrono::steady_clock::now() + busy_limit_;
  return execute(settings.c_str());
}

result<void> sqlite_connection::execute(const char* sql) {
  const int code = sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return std::unexpected(sqlite_error(handle_, code));
  return {};
}

void sqlite_connection::close() noexcept {
  statements_.clear();
  query_only_ = false;
  // No statements are left, so it cannot fail.
  sqlite3_close(std::exchange(handle_, nullptr));
}

int sqlite_connection::wait_for_lock(void* self, int calls) noexcept {
  // Like SQLite's own, but interruptible.
  auto& mine = *static_cast<sqlite_connection*>(self);
  const auto now = std::chrono::steady_clock::now();
  if (calls == 0) mine.busy_until_ = now + mine.busy_limit_;
  if (mine.stop_.load(std::memory_order_relaxed) || now >= mine.busy_until_) return 0;
  std::this_thread::sleep_for(std::chrono::milliseconds(std::min(1 + calls * 2, 25)));
  return 1;
}

void sqlite_connection::interrupt() noexcept {
  stop_.store(true, std::memory_order_relaxed);
  sqlite3_interrupt(handle_);
}

result<sqlite_connection::statement*> sqlite_connection::prepare(std::string_view sql) {
  if (statement* cached = statements_.find(sql); cached != nullptr) return cached;
  sqlite3_stmt* handle = nullptr;
  const char* rest = nullptr;
  const int code =
      sqlite3_prepare_v3(handle_, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT, &handle, &rest);
  if (code != SQLITE_OK) return std::unexpected(sqlite_error(handle_, code));
  statement made{.handle = std::unique_ptr<sqlite3_stmt, finalize>(handle), .names = nullptr};
  if (handle == nullptr) return std::unexpected(error(error_kind::syntax, "", "the statement is empty"));

  // A comment or a semicolon may follow, another statement may not: it would be ignored.
  sqlite3_stmt* second = nullptr;
  const auto left = sql.substr(static_cast<std::size_t>(rest - sql.data()));
  const int tail = sqlite3_prepare_v3(handle_, left.data(), static_cast<int>(left.size()), 0, &second, nullptr);
  const statement more{.handle = std::unique_ptr<sqlite3_stmt, finalize>(second), .names = nullptr};
  if (tail != SQLITE_OK || second != nullptr) {
    return std::unexpected(
        error(error_kind::syntax, "", "there is more than one statement in the text: execute_script takes several"));
  }

  made.names = names_of(handle);
  made.writes = sqlite3_stmt_readonly(handle) == 0;
  if (statements_.surplus() != nullptr) statements_.drop_surplus();
  return &statements_.add(sql, std::move(made));
}

result<void> sqlite_connection::bind(statement& to, const parameters& bound) {
  sqlite3_stmt* handle = to.handle.get();
  const int count = sqlite3_bind_parameter_count(handle);
  int highest = 0;
  for (int index = 1; index <= count; ++index) {
    const int number = parameter_number(handle, index);
    highest = std::max(highest, number);
    if (static_cast<std::size_t>(number) > bound.size()) continue;
    const int code = bind_value(handle, index, bound[static_cast<std::size_t>(number) - 1]);
    if (code != SQLITE_OK) return std::unexpected(sqlite_error(sqlite3_db_handle(handle), code));
  }
  if (static_cast<std::size_t>(highest) != bound.size()) {
    return std::unexpected(error(error_kind::syntax, "",
                                 "the statement has " + std::to_string(highest) + " parameters, " +
                                     std::to_string(bound.size()) + " values were given"));
  }
  to.changes_before = sqlite3_total_changes64(handle_);
  return {};
}

void sqlite_connection::add_row(sqlite3_stmt* from, std::size_t columns, row_block& into) {
  for (std::size_t at = 0; at < columns; ++at) {
    const auto column = static_cast<int>(at);
    switch (sqlite3_column_type(from, column)) {
      case SQLITE_INTEGER:
        into.add_integer(sqlite3_column_int64(from, column));
        break;
      case SQLITE_FLOAT:
        into.add_real(sqlite3_column_double(from, column));
        break;
      case SQLITE_TEXT: {
        const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(from, column));
        into.add_text({text, static_cast<std::size_t>(sqlite3_column_bytes(from, column))});
        break;
      }
      case SQLITE_BLOB: {
        const auto* blob = static_cast<const std::byte*>(sqlite3_column_blob(from, column));
        into.add_blob({blob, static_cast<std::size_t>(sqlite3_column_bytes(from, column))});
        break;
      }
      default:
        into.add_null();
    }
  }
}

result<progress> sqlite_connection::step(statement& running, row_block* into) {
  sqlite3_stmt* handle = running.handle.get();
  if (into != nullptr) into->begin(running.names);
  for (;;) {
    const int code = sqlite3_step(handle);
    if (sqlite3_stmt_status(handle, SQLITE_STMTSTATUS_REPREPARE, 1) != 0) {
      // The schema has changed. This happens only at the first step.
      running.names = names_of(handle);
      if (into != nullptr) into->begin(running.names);
    }
    if (code == SQLITE_ROW) {
      if (into == nullptr) continue;
      add_row(handle, running.names->size(), *into);
      if (into->weight() >= block_bytes) return progress{};
      continue;
    }
    if (code == SQLITE_DONE) {
      // A statement that changes no rows leaves the count of the previous one.
      const bool changed = sqlite3_total_changes64(handle_) != running.changes_before;
      const auto changes = changed ? static_cast<std::uint64_t>(sqlite3_changes64(handle_)) : 0;
      reset(running);
      after_transaction();
      return progress{.changes = changes, .finished = true};
    }
    error why = sqlite_error(handle_, code);
    reset(running);
    return std::unexpected(std::move(why));
  }
}

void sqlite_connection::reset(statement& running) noexcept {
  sqlite3_reset(running.handle.get());
  // So that it does not keep large values.
  sqlite3_clear_bindings(running.handle.get());
}

template <class Work>
std::invoke_result_t<Work> sqlite_connection::all_or_none(Work work) {
  if (in_transaction()) return work();
  if (auto begun = execute("BEGIN IMMEDIATE"); !begun) return std::unexpected(std::move(begun.error()));
  auto done = work();
  if (done) {
    auto committed = execute("COMMIT");
    if (committed) return done;
    done = std::unexpected(std::move(committed.error()));
  }
  roll_back();
  return done;
}

result<std::vector<std::uint64_t>> sqlite_connection::run(const batch& all) {
  return all_or_none([&]() -> result<std::vector<std::uint64_t>> {
    std::vector<std::uint64_t> changes;
    changes.reserve(all.size());
    for (const batch::statement& each : all.statements()) {
      auto prepared = prepare(each.sql);
      if (!prepared) return std::unexpected(std::move(prepared.error()));
      if (auto bound = bind(**prepared, each.bound); !bound) return std::unexpected(std::move(bound.error()));
      auto done = step(**prepared, nullptr);
      if (!done) return std::unexpected(std::move(done.error()));
      changes.push_back(done->changes);
    }
    return changes;
  });
}

result<void> sqlite_connection::run_script(std::string_view sql) {
  return all_or_none([&] { return execute(std::string(sql).c_str()); });
}

result<void> sqlite_connection::begin_read_only() {
  if (auto only = execute("PRAGMA query_only = ON"); !only) return only;
  query_only_ = true;
  auto begun = execute("BEGIN");
  after_transaction();
  return begun;
}

void sqlite_connection::after_transaction() noexcept {
  if (!query_only_ || in_transaction()) return;
  query_only_ = sqlite3_exec(handle_, "PRAGMA query_only = OFF", nullptr, nullptr, nullptr) != SQLITE_OK;
}

void sqlite_connection::roll_back() noexcept {
  if (in_transaction()) sqlite3_exec(handle_, "ROLLBACK", nullptr, nullptr, nullptr);
  after_transaction();
}

}  // namespace tare::db::detail
