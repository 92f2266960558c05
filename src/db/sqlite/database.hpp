#pragma once

#include "db/session.hpp"

#include <tare/db/pool.hpp>

#include <memory>
#include <string_view>

namespace tare::db::detail {

/// `path` in the format of sqlite3_open_v2. Does not open it.
[[nodiscard]] std::unique_ptr<database> make_sqlite(std::string_view path, const pool_options& options);

}  // namespace tare::db::detail
