#pragma once

// Establishes a connection, up to the point where statements can be sent.

#include "db/postgresql/cancel.hpp"
#include "db/postgresql/handles.hpp"

#include <tare/db/error.hpp>
#include <tare/task.hpp>

#include <optional>
#include <vector>

namespace tare::db::detail {

/// In the format of PQconnectStartParams, terminated by a nullptr.
struct login_parameters {
  std::vector<const char*> keywords;
  std::vector<const char*> values;
};

struct logged_in {
  pq<PGconn> connection;
  /// How to cancel its statements; empty if that would have to be encrypted, or if the server sends no key.
  std::optional<cancel_target> cancel;
};

/// **Cancellation**: abandons the attempt.
[[nodiscard]] task<result<logged_in>> log_in(const login_parameters& with);

}  // namespace tare::db::detail
