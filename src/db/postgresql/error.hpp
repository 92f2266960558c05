#pragma once

#include <tare/db/error.hpp>

#include <libpq-fe.h>

#include <string_view>

namespace tare::db::detail {

/// What an SQLSTATE means (PostgreSQL's documentation, appendix A).
[[nodiscard]] error_kind kind_of_sqlstate(std::string_view state) noexcept;

/// Of a result that is an error.
[[nodiscard]] error postgresql_error(const PGresult& failed);

/// Of a connection that was lost.
[[nodiscard]] error connection_error(const PGconn* connection);

/// Of one that could not be made, with libpq's errors as verbose as PQERRORS_VERBOSE. nullptr: memory was short.
[[nodiscard]] error login_error(const PGconn* connection);
/// From libpq's message.
[[nodiscard]] error login_error(std::string_view message);

}  // namespace tare::db::detail
