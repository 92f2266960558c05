#include "publisher.hpp"

#include "refusals.hpp"

#include <tare/http/json.hpp>
#include <tare/offload.hpp>

#include <utf8.h>

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace push {

namespace http = tare::http;
using tare::task;

namespace {

/// Not in a coroutine: g++ 12 cannot keep an initializer list across an await.
task<> respond_accepted(application& app, http::response& to, std::uint64_t sequence, nlohmann::json about) {
  const std::string id = app.all.ids().text(sequence);
  about["id"] = id;
  to.set("event-id", id);
  return [](http::response& by, nlohmann::json body) -> task<> {
    auto sending = http::send_json(by, std::move(body), 202);
    (void)co_await std::move(sending);
  }(to, std::move(about));
}

task<> refuse_text(http::response& to) { return respond_refusal(to, {.message = "the body is not UTF-8"}); }

/// Publishes a body that has been read.
task<> publish_here(application& app, http::request& request, http::response& to, std::string_view data,
                    std::string_view event_name) {
  if (!utf8::is_valid(data.begin(), data.end())) return refuse_text(to);
  const auto done = app.all.publish(request.param("name"), {.data = data, .name = event_name});
  if (!done) return respond_refusal(app, to, done.error());
  return respond_accepted(app, to, done->sequence, {{"recipients", done->recipients}});
}

task<> read_and_publish(application& app, http::request& request, http::response& to, std::string event_name) {
  auto data = co_await request.body().read_all();
  if (!data) co_return;  // the server responds with 400, 408, 413 or 503
  task<> responding = publish_here(app, request, to, *data, event_name);
  *data = std::string();
  co_await std::move(responding);
}

// --- with NATS ------------------------------------------------------------------------------------------------------

struct stored_event {
  std::string topic;
  std::string name;
  std::string data;
  std::string key;
};

/// The same for each attempt to publish the same event, if the publisher says so.
std::string key_of(application& app, const http::request& request, std::string_view topic) {
  const auto given = request.fields().find("nats-msg-id");
  std::string key(topic);
  key += '/';
  if (given && !given->empty()) return key.append(*given);
  return key + "random/" + app.random_key();
}

task<> respond_stored(application& app, http::response& to, std::expected<acknowledged, std::string> done) {
  if (done) return respond_accepted(app, to, done->sequence, {{"duplicate", done->is_duplicate}});
  app.measured.count_refusal("nats");
  to.set("retry-after", "1");
  return respond_refusal(to, {.status = 503, .message = std::move(done.error())});
}

/// The subscribers get it when the stream delivers it, here as everywhere.
task<> read_and_store(application& app, http::request& request, http::response& to, stored_event event) {
  {
    auto data = co_await request.body().read_all();
    if (!data) co_return;
    event.data = *std::move(data);
  }
  if (!utf8::is_valid(event.data.begin(), event.data.end())) {
    task<> refusing = refuse_text(to);
    co_await std::move(refusing);
    co_return;
  }
  auto store = [&] { return app.shared->publish(event.topic, event.name, event.data, event.key); };
  auto done = co_await tare::offload(store);
  event.data = std::string();
  task<> responding = respond_stored(app, to, std::move(done));
  co_await std::move(responding);
}

}  // namespace

task<> serve_publish(application& app, http::request& request, http::response& to) {
  std::string event_name = request.query_value("event").value_or("");
  if (!is_event_name(event_name)) return respond_refusal(to, {.message = "event: not a name of an event"});
  if (app.shared == nullptr) return read_and_publish(app, request, to, std::move(event_name));
  std::string topic = request.param("name");
  std::string key = key_of(app, request, topic);
  return read_and_store(app, request, to,
                        {.topic = std::move(topic), .name = std::move(event_name), .data = {}, .key = std::move(key)});
}

}  // namespace push
