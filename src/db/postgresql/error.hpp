#pragma once

#include <tare/db/error.hpp>

#include <libpq-fe.h>

#include <string_view>

namespace tare::db::detail {

/// The meaning of an SQLSTATE (PostgreSQL's documentation, appendix A).
[[nodiscard]] error_kind kind_of_sqlstate(std::string_view state) noexcept;

/// The error of a failed result.
[[nodiscard]] error postgresql_error(const PGresult& failed);

/// The error of a lost connection.
[[nodiscard]] error connection_error(const PGconn* connection);

/// The error of a failed connection attempt, from libpq's errors in PQERRORS_VERBOSE format. nullptr: memory was short.
[[nodiscard]] error login_error(const PGconn* connection);
/// From libpq's message.
[[nodiscard]] error login_error(std::string_view message);

}  // namespace tare::db::detail
