#pragma once

// What subscribers get.

#include "application.hpp"

#include <tare/http/events.hpp>
#include <tare/http/handshake.hpp>
#include <tare/http/request.hpp>
#include <tare/http/response.hpp>
#include <tare/http/websocket.hpp>
#include <tare/task.hpp>

#include <chrono>

namespace push {

inline constexpr std::chrono::seconds max_wait{60};  ///< of a long poll

// GET /topics/{name}/socket: each event's data as a text message. What the client sends is ignored.
[[nodiscard]] tare::task<> serve_socket(application& app, tare::http::websocket socket,
                                        tare::http::handshake handshake);

// GET /topics/{name}/events: an event stream. The client continues after Last-Event-ID, or after the parameter "after".
// The event "subscribed" comes first for a client without an id, and "reset" for one that may have missed events; both
// carry an id.
[[nodiscard]] tare::task<> serve_events(application& app, tare::http::event_stream out,
                                        tare::http::handshake handshake);

// GET /topics/{name}/next: waits up to "wait" seconds for the event after Last-Event-ID, or after the parameter
// "after". 200 with the event, 204 if there is none yet, 410 if the client may have missed events. Each response has
// the id to ask with next, in Event-Id.
[[nodiscard]] tare::task<> serve_next(application& app, tare::http::request& request, tare::http::response& to);

}  // namespace push
