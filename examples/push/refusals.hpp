#pragma once

// Responses to requests that cannot be served.

#include "application.hpp"

#include <tare/http/parameters.hpp>
#include <tare/http/response.hpp>
#include <tare/task.hpp>

namespace push {

/// Responds with the status, and the message as text.
[[nodiscard]] tare::task<> respond_refusal(tare::http::response& to, tare::http::request_error why);
/// Responds with 503 or 400, and counts it.
[[nodiscard]] tare::task<> respond_refusal(application& app, tare::http::response& to, refusal why);

}  // namespace push
