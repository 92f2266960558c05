#pragma once

// Publishing: POST /topics/{name}, whose body is the event's data.

#include "application.hpp"

#include <tare/http/request.hpp>
#include <tare/http/response.hpp>
#include <tare/task.hpp>

namespace push {

/// With NATS, it responds when JetStream has stored the event, once for each value of the field Nats-Msg-Id.
/// 202 with the event's id, in Event-Id and in the body. The parameter "event" is the event's name.
[[nodiscard]] tare::task<> serve_publish(application& app, tare::http::request& request, tare::http::response& to);

}  // namespace push
