#pragma once

// Calls a handler in a test, without a connection.
//
//   http::test::request asked{.method = "POST", .target = "/items", .body = "{}"};
//   const http::test::reply got = co_await http::test::call(routes, asked);
//   EXPECT_EQ(got.status, 201);
//   EXPECT_EQ(got.fields.find("location"), "/items/7");
//
// A server reads the request and writes the response as it does for a client: with its parser, its limits, and its
// memory budget. Only the bytes are in memory instead of on a connection, so in virtual time only the handler can wait
// for something real.

#include <tare/http/fields.hpp>
#include <tare/http/handler.hpp>
#include <tare/http/server.hpp>
#include <tare/task.hpp>

#include <string>

namespace tare::http::test {

struct request {
  std::string method = "GET";
  std::string target = "/";  ///< path and query, encoded
  /// The server requires Host: "localhost" is added unless it is here. Content-Length is added if there is a body and
  /// no Transfer-Encoding here.
  http::fields fields = {};
  std::string body = {};  ///< with Transfer-Encoding, the chunks
};

struct reply {
  unsigned status = 0;  ///< 0 if there is no response
  http::fields fields;
  std::string body;
  /// False if the handler has failed after it had begun to respond: a client sees a body that ends too early.
  bool is_complete = false;
};

/// Sends the request to a server with this handler, and returns the final response. The client sends nothing else and
/// does not leave, so `server_options::cancel_if_client_leaves` has no effect, a handler that takes over the connection
/// reads its end, and `http::request::peer` is std::errc::operation_not_supported.
///
/// **Errors** Throws std::invalid_argument if the method or the target is empty or contains whitespace or control
/// characters, because no client can send it. What the handler throws becomes a 500 and goes to
/// `server_options::on_error`.
/// **Cancellation** As when a server stops: the handler has `server_options::drain_timeout` to end, and is cancelled
/// then. The response is returned nevertheless.
/// **Threads** On any shard. **Bytes** The whole request and the whole response.
task<reply> call(handler handle, request request, server_options options = {});

}  // namespace tare::http::test
