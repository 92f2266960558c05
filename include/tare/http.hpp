#pragma once

// All headers of tare::http, except <tare/http/test.hpp> and <tare/http/json.hpp>.

#include <tare/http/access_entry.hpp>
#include <tare/http/admission.hpp>
#include <tare/http/client.hpp>
#include <tare/http/error.hpp>
#include <tare/http/events.hpp>
#include <tare/http/fields.hpp>
#include <tare/http/handler.hpp>
#include <tare/http/handshake.hpp>
#include <tare/http/message_writer.hpp>
#include <tare/http/parameters.hpp>
#include <tare/http/polled.hpp>
#include <tare/http/request.hpp>
#include <tare/http/response.hpp>
#include <tare/http/router.hpp>
#include <tare/http/serve_until_stopped.hpp>
#include <tare/http/server.hpp>
#include <tare/http/status.hpp>
#include <tare/http/topic.hpp>
#include <tare/http/trace_context.hpp>
#include <tare/http/upgraded_stream.hpp>
#include <tare/http/websocket.hpp>
#include <tare/http/websocket_client.hpp>
