#include "db/sqlite/database.hpp"

#include "db/sqlite/session.hpp"

#include <tare/mutex.hpp>

#include <string>

namespace tare::db::detail {

namespace {

class sqlite_database final : public database {
 public:
  sqlite_database(std::string_view path, const pool_options& options) : shared_(path, options) {}

  [[nodiscard]] std::unique_ptr<session> make_session() override { return std::make_unique<sqlite_session>(shared_); }

 private:
  sqlite_shared shared_;
};

}  // namespace

std::unique_ptr<database> make_sqlite(std::string_view path, const pool_options& options) {
  return std::make_unique<sqlite_database>(path, options);
}

}  // namespace tare::db::detail
