#include "publisher.hpp"

#include "refusals.hpp"

#include <tare/http/json.hpp>

#include <utf8.h>

#include <algorithm>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace push {

namespace http = tare::http;
using tare::task;

namespace {

/// Also a valid header field, because a long poll gets it in one. The gateway itself sends the three other names.
bool is_event_name(std::string_view name) noexcept {
  constexpr std::size_t max_bytes = 64;
  const auto is_visible = [](char c) { return c > ' ' && c <= '~'; };
  return name.size() <= max_bytes && std::ranges::all_of(name, is_visible) && name != "subscribed" && name != "reset" &&
         name != "unavailable";
}

// Not in the handler itself: g++ 12 cannot keep an initializer list across an await.
nlohmann::json described(std::string_view id, std::size_t recipients) {
  return {{"id", id}, {"recipients", recipients}};
}

task<> respond(application& app, http::response& to, std::expected<publication, refusal> done) {
  if (!done) return respond_refusal(app, to, done.error());
  const std::string id = app.all.ids().text(done->sequence);
  to.set("event-id", id);
  return [](http::response& by, nlohmann::json body) -> task<> {
    auto sending = http::send_json(by, std::move(body), 202);
    (void)co_await std::move(sending);
  }(to, described(id, done->recipients));
}

task<> refuse_text(http::response& to) { return respond_refusal(to, {.message = "the body is not UTF-8"}); }

/// Publishes a body that has been read. Not a coroutine, so that nobody waits with the body in a frame.
task<> publish(application& app, http::request& asked, http::response& to, std::string_view data,
               std::string_view event_name) {
  if (!utf8::is_valid(data.begin(), data.end())) return refuse_text(to);
  return respond(app, to, app.all.publish(asked.param("name"), {.data = data, .name = event_name}));
}

task<> read_and_publish(application& app, http::request& asked, http::response& to, std::string event_name) {
  auto data = co_await asked.body().read_all();
  if (!data) co_return;  // the server responds with 400, 408, 413 or 503
  task<> responding = publish(app, asked, to, *data, event_name);
  *data = std::string();
  co_await std::move(responding);
}

}  // namespace

task<> serve_publish(application& app, http::request& asked, http::response& to) {
  std::string event_name = asked.query_value("event").value_or("");
  if (!is_event_name(event_name)) return respond_refusal(to, {.message = "event: not a name of an event"});
  return read_and_publish(app, asked, to, std::move(event_name));
}

}  // namespace push
