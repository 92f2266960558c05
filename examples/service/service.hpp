#pragma once

// What the service is made of besides its handlers.

#include "handlers.hpp"

#include <tare/http/server.hpp>
#include <tare/task.hpp>

namespace service {

/// Waits until the database has its table, and the items if requested; meanwhile requests get 503. The application must
/// outlive the task.
[[nodiscard]] tare::task<> prepare(application& app, bool seed);

/// The limits of its servers.
[[nodiscard]] tare::http::server_options server_options(bool tls);

}  // namespace service
