#pragma once

#include <tare/db/error.hpp>

struct sqlite3;

namespace tare::db::detail {

/// The error of the last call on `connection`, which has returned `code`.
[[nodiscard]] error sqlite_error(sqlite3* connection, int code);

}  // namespace tare::db::detail
