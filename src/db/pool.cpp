#include <tare/db/pool.hpp>

#include "db/operations.hpp"
#include "db/pool_core.hpp"
#include "db/postgresql/database.hpp"
#include "db/sqlite/database.hpp"

#include <tare/offload.hpp>

#include <algorithm>
#include <string>

namespace tare::db {

pool::pool(std::shared_ptr<detail::pool_core> core) noexcept : core_(std::move(core)) {}
pool::pool(pool&&) noexcept = default;
pool& pool::operator=(pool&& other) noexcept {
  pool moved(std::move(other));
  core_.swap(moved.core_);
  return *this;
}
pool::~pool() {
  if (core_ != nullptr) (void)core_->close();
}

result<pool> pool::open(std::string_view database, pool_options options) {
  constexpr std::string_view sqlite = "sqlite:";
  const std::size_t connections = std::max<std::size_t>(1, options.connections);
  if (database.starts_with(sqlite)) {
    const std::string_view path = database.substr(sqlite.size());
    if (path.empty()) return std::unexpected(error(error_kind::syntax, "", "'sqlite:' needs the path of a file"));
    const bool in_memory = path == ":memory:";
    return pool(
        std::make_shared<detail::pool_core>(detail::make_sqlite(path, options), in_memory ? 1 : connections, options));
  }
  if (database.starts_with("postgresql://") || database.starts_with("postgres://")) {
    auto made = detail::make_postgresql(database, options);
    if (!made) return std::unexpected(std::move(made.error()));
    return pool(std::make_shared<detail::pool_core>(*std::move(made), connections, options));
  }
  // What follows "://" may contain a password.
  const auto shown = database.substr(0, database.find("://"));
  return std::unexpected(error(
      error_kind::syntax, "",
      "'" + std::string(shown) + "' is not a database: expected sqlite:PATH, sqlite::memory: or postgresql://..."));
}

task<result<connection>> pool::acquire() {
  auto held = co_await detail::borrow(*core_);
  if (!held) co_return std::unexpected(std::move(held.error()));
  co_return connection(*std::move(held));
}

task<result<transaction>> pool::begin(transaction_options options) { return detail::begin(*core_, options); }

task<> pool::close() {
  const std::shared_ptr<detail::pool_core> core = core_;
  auto resting = core->close();
  auto all = co_await core->slots().acquire(core->capacity());
  // Closing an SQLite database may write back its log.
  auto destroy = [&resting] { resting.clear(); };
  co_await tare::offload(destroy);
}

std::size_t pool::lent() const noexcept { return core_->lent(); }
std::size_t pool::capacity() const noexcept { return core_->capacity(); }

task<result<rows>> pool::start_query(std::string_view sql, parameters bound) {
  return detail::query(*core_, sql, std::move(bound));
}
task<result<std::uint64_t>> pool::start_execute(std::string_view sql, parameters bound) {
  return detail::execute(*core_, sql, std::move(bound));
}
task<result<std::vector<std::uint64_t>>> pool::start_batch(batch all) {
  return detail::execute_batch(*core_, std::move(all));
}
task<result<void>> pool::start_script(std::string_view sql) { return detail::execute_script(*core_, sql); }

}  // namespace tare::db
