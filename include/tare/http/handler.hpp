#pragma once

// What handles requests: any callable that takes a request and a response, and returns a task.

#include <tare/http/request.hpp>
#include <tare/http/response.hpp>
#include <tare/task.hpp>

#include <functional>

namespace tare::http {

/// Called once per request, possibly for several requests concurrently. It must outlive its tasks, because its captures
/// are not in their frames: the server keeps it as long as it serves. An exception becomes a 500
/// (server_options::on_error). The task is cancelled if the client disconnects or the request takes too long.
using handler = std::function<task<>(request&, response&)>;

}  // namespace tare::http
