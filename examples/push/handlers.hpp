#pragma once

// The routes of the gateway.

#include "application.hpp"

#include <tare/http/handler.hpp>
#include <tare/http/serve_until_stopped.hpp>
#include <tare/task.hpp>

#include <string>

namespace push {

/// The application must outlive every user of the handler.
[[nodiscard]] tare::http::handler make_routes(application& app);

/// The text of `/metrics`. The application must outlive the task.
[[nodiscard]] tare::task<std::string> metrics_of(application& app, tare::http::serving_figures servers);

}  // namespace push
