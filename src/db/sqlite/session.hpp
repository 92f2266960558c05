#pragma once

// An SQLite connection on the blocking pool. Writers of one pool take turns in a queue of tasks: SQLite allows only one
// writer at a time anyway, and would make a thread of the pool sleep and poll for its turn.

#include "db/session.hpp"
#include "db/sqlite/connection.hpp"

#include <tare/db/pool.hpp>
#include <tare/mutex.hpp>

#include <string>
#include <string_view>

namespace tare::db::detail {

/// Shared by the sessions of one pool.
struct sqlite_shared {
  sqlite_shared(std::string_view file, const pool_options& with) : path(file), options(with) {}

  std::string path;
  pool_options options;
  mutex writer;
};

class sqlite_session final : public session {
 public:
  explicit sqlite_session(sqlite_shared& with) : shared_(with), connection_(with.options.cached_statements) {}

  task<result<void>> connect() override;
  [[nodiscard]] bool connected() const noexcept override { return connection_.is_open(); }
  [[nodiscard]] bool seems_alive() noexcept override { return connection_.is_open(); }
  task<result<progress>> start(std::string_view sql, parameters bound, row_block* into) override;
  task<result<progress>> more(row_block& into) override;
  task<result<std::vector<std::uint64_t>>> run(const batch& all) override;
  task<result<void>> run_script(std::string_view sql) override;
  task<result<void>> begin(transaction_options options) override;
  task<result<void>> settle() override;
  task<result<void>> reset() override;
  void close() noexcept override;
  [[nodiscard]] bool under_way() const noexcept override { return running_ != nullptr; }
  [[nodiscard]] bool clean() const noexcept override { return running_ == nullptr && !connection_.in_transaction(); }

 private:
  template <class Call>
  auto blocking(Call call);
  task<result<void>> wait_for_turn();
  void end_of_call() noexcept;

  sqlite_shared& shared_;
  sqlite_connection connection_;
  sqlite_connection::statement* running_ = nullptr;
  mutex::guard writing_;
};

}  // namespace tare::db::detail
