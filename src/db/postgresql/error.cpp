#include "db/postgresql/error.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>

namespace tare::db::detail {

namespace {

struct meaning {
  std::string_view prefix;
  error_kind kind;
};

// The first match counts.
constexpr std::array meanings{
    meaning{"08P01", error_kind::syntax},  // wrong number of parameters
    meaning{"08", error_kind::unavailable},    meaning{"22", error_kind::data},
    meaning{"23", error_kind::constraint},     meaning{"25006", error_kind::denied},  // in a read-only transaction
    meaning{"28", error_kind::denied},         meaning{"3D", error_kind::denied},     // the database does not exist
    meaning{"40", error_kind::busy},           meaning{"42501", error_kind::denied},
    meaning{"42", error_kind::syntax},         meaning{"53100", error_kind::disk_full},
    meaning{"53300", error_kind::unavailable},  // too many connections
    meaning{"55P03", error_kind::busy},        meaning{"57014", error_kind::cancelled},
    meaning{"57P", error_kind::unavailable},  // the server is shutting down, has crashed, or is starting
    meaning{"XX001", error_kind::protocol},    meaning{"XX002", error_kind::protocol},
};

/// The first line, without its end.
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
  return {error_kind::unavailable, "", std::move(message)};
}

namespace {

/// Position of the SQLSTATE in the line "FATAL: 28P01: password ...". The first word depends on the language.
std::size_t find_sqlstate(std::string_view line) noexcept {
  constexpr std::size_t state_size = 5;
  const auto is_state = [](std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z'); });
  };
  for (std::size_t at = line.find(":  "); at != std::string_view::npos; at = line.find(":  ", at + 1)) {
    const std::string_view rest = line.substr(at + 3);
    if (rest.size() > state_size && rest.substr(state_size).starts_with(": ") && is_state(rest.substr(0, state_size))) {
      return at + 3;
    }
  }
  return std::string_view::npos;
}

// Messages of libpq itself, without an SQLSTATE, that a later attempt will not change.
constexpr std::array denied_messages{
    std::string_view("no password supplied"), std::string_view("password authentication failed"),
    std::string_view("no pg_hba.conf entry"), std::string_view("authentication method"),
    std::string_view("channel binding"),      std::string_view("certificate"),
    std::string_view("does not support SSL"), std::string_view("does not support GSSAPI"),
};

}  // namespace

error login_error(std::string_view message) {
  // Each of several hosts has its lines: the last one counts, unless an earlier one denies access.
  std::optional<error> last;
  while (!message.empty()) {
    const std::string_view line = message.substr(0, message.find('\n'));
    message.remove_prefix(std::min(message.size(), line.size() + 1));
    if (line.empty()) continue;
    const std::size_t at = find_sqlstate(line);
    // Details, hints and positions of the previous message.
    if (last && at == std::string_view::npos && !line.starts_with("connection to ")) continue;
    std::string text(line);
    std::string state;
    error_kind kind = error_kind::unavailable;
    if (at != std::string_view::npos) {
      state = line.substr(at, 5);
      text.erase(at, 7);
      kind = kind_of_sqlstate(state);
    } else {
      for (const std::string_view each : denied_messages) {
        if (line.find(each) != std::string_view::npos) kind = error_kind::denied;
      }
    }
    if (!last || last->kind() != error_kind::denied) last = error(kind, std::move(state), std::move(text));
  }
  if (last) return *std::move(last);
  return {error_kind::unavailable, "", "no connection could be made"};
}

error login_error(const PGconn* connection) {
  return connection == nullptr ? error(error_kind::unavailable, "", "out of memory")
                               : login_error(std::string_view(PQerrorMessage(connection)));
}

}  // namespace tare::db::detail
