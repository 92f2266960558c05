#include "db/postgresql/error.hpp"

#include <array>
#include <string>
#include <utility>

namespace tare::db::detail {

namespace {

struct meaning {
  std::string_view prefix;
  error_kind kind;
};

// The first that fits counts.
constexpr std::array meanings{
    meaning{"08P01", error_kind::syntax},  // the number of parameters does not fit
    meaning{"08", error_kind::unavailable},
    meaning{"22", error_kind::data},
    meaning{"23", error_kind::constraint},
    meaning{"25006", error_kind::denied},  // in a read-only transaction
    meaning{"28", error_kind::denied},
    meaning{"3D", error_kind::unavailable},  // the database does not exist (yet)
    meaning{"40", error_kind::busy},
    meaning{"42501", error_kind::denied},
    meaning{"42", error_kind::syntax},
    meaning{"53100", error_kind::disk_full},
    meaning{"53300", error_kind::unavailable},  // too many connections
    meaning{"55P03", error_kind::busy},
    meaning{"57014", error_kind::cancelled},
    meaning{"57P", error_kind::unavailable},  // it shuts down, has crashed, or is starting
    meaning{"XX001", error_kind::protocol},
    meaning{"XX002", error_kind::protocol},
};

/// Without the line's end, and the lines after it.
std::string first_line(const char* text) {
  std::string_view line = text == nullptr ? "" : text;
  line = line.substr(0, line.find('\n'));
  return std::string(line);
}

}  // namespace

error_kind kind_of_sqlstate(std::string_view state) noexcept {
  for (const meaning& each : meanings) {
    if (state.starts_with(each.prefix)) return each.kind;
  }
  return error_kind::other;
}

error postgresql_error(const PGresult& failed) {
  const char* state = PQresultErrorField(&failed, PG_DIAG_SQLSTATE);
  const char* primary = PQresultErrorField(&failed, PG_DIAG_MESSAGE_PRIMARY);
  if (state == nullptr) return {error_kind::unavailable, "", first_line(PQresultErrorMessage(&failed))};
  std::string message = first_line(primary);
  if (const char* detail = PQresultErrorField(&failed, PG_DIAG_MESSAGE_DETAIL); detail != nullptr) {
    message += ": " + first_line(detail);
  }
  return {kind_of_sqlstate(state), state, std::move(message)};
}

error connection_error(const PGconn* connection) {
  std::string message = connection == nullptr ? "out of memory" : first_line(PQerrorMessage(connection));
  if (message.empty()) message = "the connection was lost";
  // libpq gives no SQLSTATE for a connection that was refused: "unavailable" is right but for these.
  const bool refused = message.find("password authentication failed") != std::string::npos ||
                       message.find("no pg_hba.conf entry") != std::string::npos;
  return {refused ? error_kind::denied : error_kind::unavailable, "", std::move(message)};
}

}  // namespace tare::db::detail
