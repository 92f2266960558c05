#include "http/websocket/upgrade.hpp"

#include "http/exchange.hpp"
#include "http/lasting/lasting.hpp"
#include "http/server_core.hpp"
#include "http/websocket/extensions.hpp"
#include "http/websocket/frame.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace tare::http::detail {

namespace {

/// The number in the options, plus 1, of the first of our protocols that the client offers.
std::uint8_t agreed_protocol(fields_view fields, const std::vector<std::string>& ours) {
  const auto found = std::ranges::find_if(
      ours, [&](const std::string& name) { return fields.has_token("sec-websocket-protocol", name); });
  const auto number = static_cast<std::size_t>(found - ours.begin()) + 1;
  return number > ours.size() || number > std::numeric_limits<std::uint8_t>::max() ? 0
                                                                                   : static_cast<std::uint8_t>(number);
}

std::string_view without_port(std::string_view authority, std::string_view port) noexcept {
  if (authority.ends_with(port)) authority.remove_suffix(port.size());
  return authority;
}

}  // namespace

bool is_allowed_origin(std::string_view origin, std::string_view authority,
                       const std::vector<std::string>& allowed) noexcept {
  for (const std::string& each : allowed) {
    if (each == "*" || equal_ignoring_case(each, origin)) return true;
  }
  // A proxy may have removed TLS, so the scheme is not compared, and each scheme's port may be absent.
  for (const auto& [scheme, port] : {std::pair<std::string_view, std::string_view>("http://", ":80"),
                                     std::pair<std::string_view, std::string_view>("https://", ":443")}) {
    if (origin.size() <= scheme.size() || !equal_ignoring_case(origin.substr(0, scheme.size()), scheme)) continue;
    const std::string_view host = origin.substr(scheme.size());
    if (equal_ignoring_case(without_port(host, port), without_port(authority, port))) return true;
  }
  return false;
}

task<std::optional<upgrade::agreed>> upgrade::check(request& request, response& response,
                                                    const websocket_options& options) {
  const fields_view asks = request.fields();
  exchange& exchange = request.of();
  agreed with{.key = accept_key(asks.find("sec-websocket-key").value_or(""))};
  const bool is_handshake = request.method() == "GET" && request.minor_version() > 0 && exchange.body_complete() &&
                            asks.has_token("upgrade", "websocket") && asks.has_token("connection", "upgrade") &&
                            asks.count("sec-websocket-key") == 1 && !with.key.empty();
  if (!is_handshake) {
    (void)co_await response.status(400).send("text/plain", "this is for WebSockets\n");
    co_return std::nullopt;
  }
  if (asks.find("sec-websocket-version") != "13") {
    response.status(426).set("sec-websocket-version", "13").set("upgrade", "websocket");
    exchange.response_fields().add("connection", "upgrade");
    (void)co_await response.send();
    co_return std::nullopt;
  }
  const auto origin = asks.find("origin");
  if (origin && (asks.count("origin") != 1 || !is_allowed_origin(*origin, request.authority(), options.origins))) {
    (void)co_await response.status(403).send("text/plain", "not for pages of this origin\n");
    co_return std::nullopt;
  }
  with.protocol = agreed_protocol(asks, options.protocols);
  if (options.compress) with.extension = accept_deflate(asks).value_or("");
  co_return with;
}

fields upgrade::response_to(const agreed& with, const websocket_options& options) {
  fields sent;
  sent.add("upgrade", "websocket").add("connection", "Upgrade").add("sec-websocket-accept", with.key);
  if (with.protocol != 0) sent.add("sec-websocket-protocol", options.protocols[with.protocol - 1U]);
  if (with.compresses()) sent.add("sec-websocket-extensions", with.extension);
  return sent;
}

namespace {

/// What a lasting connection will hold, until it counts itself.
class lasting_room {
 public:
  lasting_room(const exchange& owner, const lasting_route& route)
      : of_(owner.server()),
        number_(of_.number_of(route)),
        bytes_(lasting_bytes + (owner.note() != nullptr ? lasting::note_bytes(*owner.note()) : 0)),
        counted_(number_ && of_.admit_lasting(bytes_)) {}
  lasting_room(const lasting_room&) = delete;
  lasting_room& operator=(const lasting_room&) = delete;
  ~lasting_room() {
    if (counted_) of_.release_lasting(bytes_);
  }
  [[nodiscard]] bool fits() const noexcept { return counted_; }
  /// Of the route, if it fits.
  [[nodiscard]] std::uint16_t number() const noexcept { return number_.value_or(0); }
  void keep() noexcept { counted_ = false; }

 private:
  server_core& of_;
  std::optional<std::uint16_t> number_;
  std::size_t bytes_;
  bool counted_;
};

task<> refuse_for_memory(response& response) {
  response.status(503).set("retry-after", "1");
  (void)co_await response.send("text/plain", "busy: try again later\n");
}

/// Made before anything is sent, because memory may be short, and frames may follow the request in the same buffer.
lasting_work& make_first_work(const lasting_route& route, std::uint16_t number, exchange& exchange, bool takes_request,
                              bool compresses) {
  lasting_work& work = make_work(frame_reader::role::server, route.options().max_message_bytes, compresses);
  served owner(work);
  work.route = &route;
  work.route_number = number;
  if (takes_request) work.head = exchange.head("path").copy();
  (void)owner.release();
  return work;
}

}  // namespace

task<> upgrade::to_websocket(const websocket_route& route, request& request, response& response) {
  const std::optional<agreed> with = co_await check(request, response, route.options());
  if (!with) co_return;
  exchange& exchange = request.of();
  lasting_room room(exchange, route);
  if (!room.fits()) {
    co_await refuse_for_memory(response);
    co_return;
  }
  lasting_work& work = make_first_work(route, room.number(), exchange, route.takes_request(), with->compresses());
  served next(work);
  work.protocol = with->protocol;
  const fields sent = response_to(*with, route.options());
  work.input = exchange.take_input();
  auto switched = co_await exchange.upgrade(sent);
  if (!switched) co_return;
  room.keep();
  work.note = exchange.take_note();
  exchange.hand_over(std::move(next));
}

task<> upgrade::to_events(const events_route& route, request& request, response& response) {
  exchange& exchange = request.of();
  if (request.method() != "GET" || !exchange.body_complete()) {
    const bool to_head = request.method() == "HEAD" && exchange.body_complete();
    response.status(to_head ? 200 : 400);
    (void)co_await response.send("text/event-stream", {});
    co_return;
  }
  lasting_room room(exchange, route);
  if (!room.fits()) {
    co_await refuse_for_memory(response);
    co_return;
  }
  lasting_work& work = make_first_work(route, room.number(), exchange, route.takes_request(), false);
  served next(work);
  work.is_events = true;
  work.is_chunked = request.minor_version() > 0;
  exchange.response_fields().add("content-type", "text/event-stream").add("cache-control", "no-store");
  exchange.close_after();
  auto begun = co_await exchange.start(std::nullopt);
  if (!begun) co_return;
  room.keep();
  work.note = exchange.take_note();
  exchange.hand_over(std::move(next));
}

task<> websocket_route::begin(tare::detail::link connection, handshake_owner head) const {
  return answer_(upgrade::socket_of(connection), handshake(std::move(head)));
}

task<> events_route::begin(tare::detail::link connection, handshake_owner head) const {
  return answer_(upgrade::events_of(connection), handshake(std::move(head)));
}

}  // namespace tare::http::detail
