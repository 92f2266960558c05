#include "subscribers.hpp"

#include "refusals.hpp"

#include <tare/http/parameters.hpp>
#include <tare/http/polled.hpp>
#include <tare/http/topic.hpp>
#include <tare/sleep.hpp>

#include <nlohmann/json.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace push {

namespace http = tare::http;
using tare::task;

namespace {

/// Why a client may have missed events.
enum class gap : std::uint8_t {
  too_old,         ///< the history does not reach back to its id
  another_stream,  ///< its id is not one of this stream, or has not been given yet
};

constexpr std::string_view name_of(gap why) noexcept {
  return why == gap::too_old ? "the id is older than the history" : "the id is not of this stream";
}

struct position {
  std::uint64_t after = 0;
  std::optional<gap> is_lost = {};
};

/// Where the client with this id is. With NATS, it may have received from another process what has not arrived here.
position position_of(const application& app, std::string_view last_event_id) noexcept {
  if (last_event_id.empty()) return {.after = app.all.sequence()};
  const auto sequence = app.all.ids().sequence_of(last_event_id);
  const bool is_here = sequence && (app.shared != nullptr || *sequence <= app.all.sequence());
  if (!is_here) return {.is_lost = gap::another_stream};
  return {.after = *sequence};
}

std::string last_event_id_of(const auto& request) {
  const auto field = request.fields().find("last-event-id");
  return field ? std::string(*field) : request.query_value("after").value_or("");
}

/// Waits until the events up to that number have arrived; false if they have not at the deadline.
task<bool> wait_for_arrival(const application& app, std::uint64_t of, std::chrono::steady_clock::time_point until) {
  constexpr auto interval = std::chrono::milliseconds(5);
  while (app.all.sequence() < of && tare::now() < until) co_await tare::sleep_for(interval);
  co_return app.all.sequence() >= of;
}

// --- event streams --------------------------------------------------------------------------------------------------

/// Clients that are disconnected together do not connect again together.
std::chrono::milliseconds retry_of(application& app) {
  constexpr int min = 500;
  constexpr int max = 2500;
  return std::chrono::milliseconds(std::uniform_int_distribution<int>(min, max)(app.random));
}

/// Informs the client where it is. False if it has left.
task<bool> send_position(application& app, http::event_stream& out, std::uint64_t at, std::optional<gap> lost) {
  nlohmann::json about = nlohmann::json::object();
  if (lost) about["reason"] = name_of(*lost);
  const std::string id = app.all.ids().text(at);
  about["id"] = id;
  const std::string data = about.dump();
  if (lost) app.all.count_reset();
  const http::event sent{.data = data, .name = lost ? "reset" : "subscribed", .id = id, .retry = retry_of(app)};
  co_return (co_await out.send(sent)).has_value();
}

/// The client follows the topic from there on, until it leaves.
task<> follow(application& app, topic_lease in, http::event_stream out, position at, bool is_new) {
  if (at.after > app.all.sequence()) {
    auto arriving = wait_for_arrival(app, at.after, std::chrono::steady_clock::time_point::max());
    (void)co_await std::move(arriving);
  }
  for (;;) {
    if (at.is_lost || is_new) {
      if (at.is_lost) at.after = app.all.sequence();
      auto sending = send_position(app, out, at.after, at.is_lost);
      const bool sent = co_await std::move(sending);
      if (!sent) co_return;
      is_new = false;
      at.is_lost.reset();
    }
    {
      // What has been published while the event above was sent comes now, from the history.
      const http::subscription feed = app.all.subscribe(*in, out, at.after);
      if (!feed.has_gap()) co_await http::event_stream::wait();
    }
    at.is_lost = gap::too_old;
  }
}

/// There were too many topics, or no memory, after the response had begun.
task<> send_unavailable(http::event_stream out) {
  const http::event sent{.data = "try again later", .name = "unavailable"};
  (void)co_await out.send(sent);
}

// --- WebSockets -----------------------------------------------------------------------------------------------------

task<> listen(topic_lease in, http::websocket socket) {
  const http::subscription feed(in->news, socket);
  while (co_await socket.receive()) {
  }
}

task<> close_unavailable(http::websocket socket) {
  constexpr std::uint16_t try_again_later = 1013;
  auto closing = socket.close(try_again_later, "try again later");
  (void)co_await std::move(closing);
}

// --- long polls -----------------------------------------------------------------------------------------------------

task<> respond_lost(application& app, http::response& to, gap why) {
  app.all.count_reset();
  const std::string body = "you may have missed events: " + std::string(name_of(why)) + "\n";
  to.status(410).set("event-id", app.all.ids().text(app.all.sequence()));
  (void)co_await to.send("text/plain; charset=utf-8", body);
}

task<> respond_nothing(const application& app, http::response& to, std::uint64_t after) {
  to.set("cache-control", "no-store");
  to.status(204).set("event-id", app.all.ids().text(after));
  (void)co_await to.send();
}

// Its frame exists only when there is something to send.
task<> respond_polled(application& app, http::response& to, http::polled next, std::uint64_t after) {
  to.set("cache-control", "no-store");
  if (next) {
    to.set("event-id", next.id());
    if (!next.name().empty()) to.set("event-name", next.name());
    (void)co_await to.send("text/plain; charset=utf-8", next.data());
  } else if (next.has_gap()) {
    auto responding = respond_lost(app, to, gap::too_old);
    co_await std::move(responding);
  } else {
    auto responding = respond_nothing(app, to, after);
    co_await std::move(responding);
  }
}

auto begin_wait(const application& app, topic_lease& in, http::request& request, std::uint64_t after,
                std::chrono::seconds limit) {
  const std::string known = app.all.resume_id(*in, after);
  return in->news.wait_for(request, known, limit);
}

task<> wait_and_respond(application& app, topic_lease in, http::request& request, http::response& to,
                        std::uint64_t after, std::chrono::seconds limit) {
  if (after > app.all.sequence()) {
    auto arriving = wait_for_arrival(app, after, tare::now() + limit);
    const bool has_arrived = co_await std::move(arriving);
    if (!has_arrived) {
      auto responding = respond_nothing(app, to, after);
      co_await std::move(responding);
      co_return;
    }
  }
  http::polled next = co_await begin_wait(app, in, request, after, limit);
  auto responding = respond_polled(app, to, std::move(next), after);
  co_await std::move(responding);
}

}  // namespace

task<> serve_socket(application& app, http::websocket socket, http::handshake handshake) {
  auto in = app.all.enter(handshake.param("name"), subscriber_kind::websocket);
  if (!in) return close_unavailable(std::move(socket));
  return listen(*std::move(in), std::move(socket));
}

task<> serve_events(application& app, http::event_stream out, http::handshake handshake) {
  auto in = app.all.enter(handshake.param("name"), subscriber_kind::events);
  if (!in) return send_unavailable(std::move(out));
  const std::string id = last_event_id_of(handshake);
  return follow(app, *std::move(in), std::move(out), position_of(app, id), id.empty());
}

task<> serve_next(application& app, http::request& request, http::response& to) {
  constexpr unsigned default_wait = 25;
  const auto wait = http::query_or<unsigned>(request, "wait", default_wait);
  if (!wait) return respond_refusal(to, wait.error());
  if (*wait > max_wait.count()) {
    return respond_refusal(to, {.message = "wait: at most " + std::to_string(max_wait.count()) + " seconds"});
  }
  const position at = position_of(app, last_event_id_of(request));
  if (at.is_lost) return respond_lost(app, to, *at.is_lost);
  auto in = app.all.enter(request.param("name"), subscriber_kind::poll);
  if (!in) return respond_refusal(app, to, in.error());
  return wait_and_respond(app, *std::move(in), request, to, at.after, std::chrono::seconds(*wait));
}

}  // namespace push
