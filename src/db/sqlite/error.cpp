#include "db/sqlite/error.hpp"

#include <sqlite3.h>

#include <string>

namespace tare::db::detail {

namespace {

error_kind kind_of(int extended) noexcept {
  switch (extended & 0xFF) {
    case SQLITE_CONSTRAINT:
      return error_kind::constraint;
    case SQLITE_FULL:
      return error_kind::disk_full;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return error_kind::busy;
    case SQLITE_ERROR:
    case SQLITE_RANGE:
    case SQLITE_SCHEMA:
      return error_kind::syntax;
    case SQLITE_INTERRUPT:
      return error_kind::cancelled;
    case SQLITE_CANTOPEN:
    case SQLITE_IOERR:
      return error_kind::unavailable;
    case SQLITE_MISMATCH:
    case SQLITE_TOOBIG:
      return error_kind::data;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return error_kind::denied;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_PROTOCOL:
      return error_kind::protocol;
    default:
      return error_kind::other;
  }
}

}  // namespace

error sqlite_error(sqlite3* connection, int code) {
  if (connection == nullptr) return {kind_of(code), std::to_string(code), sqlite3_errstr(code)};
  const int extended = sqlite3_extended_errcode(connection);
  // After some failures, the code returned by the call is more specific than that of the connection.
  const int max_exact = (extended & 0xFF) == (code & 0xFF) ? extended : code;
  return {kind_of(max_exact), std::to_string(max_exact), sqlite3_errmsg(connection)};
}

}  // namespace tare::db::detail
