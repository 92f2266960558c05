#pragma once

// A request that has ended, for an access log (server_options::on_response).
//
//   options.on_response = [](const http::access_entry& of) {
//     spdlog::info("{} {} {} {} bytes in {} ns", of.method, of.target, of.status, of.bytes, of.duration.count());
//   };

#include <tare/net/endpoint.hpp>
#include <tare/net/result.hpp>

#include <chrono>
#include <cstdint>
#include <exception>
#include <string_view>
#include <system_error>

namespace tare::http {

/// The views are valid during the call.
struct access_entry {
  /// Both are empty if the server has refused the head, because it was malformed, too large or too slow.
  std::string_view method;
  std::string_view target;          ///< as sent: a client may have put anything into it that HTTP allows
  net::result<net::endpoint> peer;  ///< as it was when the head had arrived, so also for a client that has left since
  unsigned status = 0;              ///< 101 for a WebSocket; 0 if no byte of a response has been sent
  /// Of the response, with its head, as far as the system has accepted them; of a write that fails, only whole pieces
  /// of 64 KiB. For a WebSocket or an event stream of a router, only the head of the response.
  std::uint64_t bytes = 0;
  /// From the arrival of the whole head, until the handler has ended and the response has been sent or has failed. Of a
  /// refused head, only the time for the response.
  std::chrono::nanoseconds duration{0};
  /// Why the response is incomplete or missing: the socket's error; std::errc::connection_aborted if the handler was
  /// cancelled because the client had left; std::errc::timed_out if it was cancelled because its time was up;
  /// std::errc::not_enough_memory if others needed the memory; errc::truncated if the handler ended too early. Empty if
  /// the response is complete.
  std::error_code error;
  /// What the handler has thrown, unless the server had cancelled it; or the std::bad_alloc that has ended the
  /// connection.
  std::exception_ptr exception;
};

}  // namespace tare::http
