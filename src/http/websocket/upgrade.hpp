#pragma once

// From a request to a WebSocket.

#include "http/lasting/lasting_work.hpp"

#include <tare/http/events.hpp>
#include <tare/http/request.hpp>
#include <tare/http/response.hpp>
#include <tare/http/websocket.hpp>
#include <tare/task.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace tare::http::detail {

class websocket_route final : public lasting_route {
 public:
  using handler = std::function<task<>(websocket, handshake)>;
  websocket_route(handler handle, websocket_options options, bool takes_request) noexcept
      : answer_(std::move(handle)), options_(std::move(options)), takes_request_(takes_request) {}

  [[nodiscard]] task<> begin(tare::detail::link connection, handshake_owner head) const override;
  [[nodiscard]] const websocket_options& options() const noexcept override { return options_; }
  [[nodiscard]] bool takes_request() const noexcept { return takes_request_; }

 private:
  handler answer_;
  websocket_options options_;
  bool takes_request_;
};

class events_route final : public lasting_route {
 public:
  using handler = std::function<task<>(event_stream, handshake)>;
  events_route(handler handle, events_options options, bool takes_request) noexcept
      : answer_(std::move(handle)), takes_request_(takes_request) {
    options_.ping_interval = options.heartbeat_interval;
  }

  [[nodiscard]] task<> begin(tare::detail::link connection, handshake_owner head) const override;
  [[nodiscard]] const websocket_options& options() const noexcept override { return options_; }
  [[nodiscard]] bool takes_request() const noexcept { return takes_request_; }

 private:
  handler answer_;
  websocket_options options_;
  bool takes_request_;
};

class upgrade {
 public:
  /// The handler of a route.
  [[nodiscard]] static task<> to_websocket(const websocket_route& route, request& request, response& response);

  [[nodiscard]] static task<> to_events(const events_route& route, request& request, response& response);

  struct agreed {
    std::string key;                  ///< of Sec-WebSocket-Accept
    std::uint8_t protocol = 0;        ///< its number in the options plus 1; 0: none
    std::string_view extension = {};  ///< a constant; empty: none
    [[nodiscard]] bool compresses() const noexcept { return !extension.empty(); }
  };
  /// Checks a handshake, and responds if it is not valid.
  [[nodiscard]] static task<std::optional<agreed>> check(request& request, response& response,
                                                         const websocket_options& options);
  /// The fields of the 101.
  [[nodiscard]] static fields response_to(const agreed& with, const websocket_options& options);
  [[nodiscard]] static event_stream events_of(tare::detail::link connection) noexcept {
    return event_stream(connection);
  }
  [[nodiscard]] static websocket socket_of(tare::detail::link connection) noexcept { return websocket(connection); }
};

/// Whether pages of `origin` may connect to `authority`.
[[nodiscard]] bool is_allowed_origin(std::string_view origin, std::string_view authority,
                                     const std::vector<std::string>& allowed) noexcept;

}  // namespace tare::http::detail
