#pragma once

// What answers requests: anything that can be called with a request and a response, and gives a task.

#include <tare/http/request.hpp>
#include <tare/http/response.hpp>
#include <tare/task.hpp>

#include <functional>

namespace tare::http {

/// Called once for each request, for several at the same time. It must outlive its tasks, as its captures are not in
/// their frames: the server keeps it as long as it serves. What it throws becomes a 500 (server_options::on_error). It
/// is cancelled when the client goes away and when the request takes too long.
using handler = std::function<task<>(request&, response&)>;

}  // namespace tare::http
