#pragma once

#include <tare/db/error.hpp>

#include <libpq-fe.h>

#include <string_view>

namespace tare::db::detail {

/// What an SQLSTATE means (PostgreSQL's documentation, appendix A).
[[nodiscard]] error_kind kind_of_sqlstate(std::string_view state) noexcept;

/// Of a result that is an error.
[[nodiscard]] error postgresql_error(const PGresult& failed);

/// Of a connection that could not be made, or was lost.
[[nodiscard]] error connection_error(const PGconn* connection);

}  // namespace tare::db::detail
