#include "handlers.hpp"

#include <tare/http/json.hpp>
#include <tare/http/parameters.hpp>
#include <tare/http/router.hpp>
#include <tare/metrics.hpp>
#include <tare/scope.hpp>
#include <tare/sleep.hpp>

#include <nlohmann/json.hpp>

#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace service {

using nlohmann::json;
using tare::task;
using tare::db::error_kind;
using tare::http::request;
using tare::http::response;

namespace {

/// Sends a JSON object, and returns the status for the metrics.
task<unsigned> respond(response& to, unsigned status, json body) {
  (void)co_await tare::http::send_json(to, std::move(body), status);
  co_return status;
}

// Not in the handlers themselves: g++ 12 cannot keep an initializer list across an await.
json described(const item& of) { return {{"id", of.id}, {"name", of.name}, {"price", of.price}}; }

task<unsigned> refuse(response& to, unsigned status, std::string_view why) {
  return respond(to, status, {{"error", why}});
}

task<unsigned> fail(response& to, const tare::db::error& why) {
  switch (why.kind()) {
    case error_kind::unavailable:
    case error_kind::busy:
    case error_kind::cancelled:
      to.set("retry-after", "1");
      return refuse(to, 503, "the database is not available");
    case error_kind::constraint:
      return refuse(to, 409, "an item with this name already exists");
    case error_kind::disk_full:
      return refuse(to, 507, "the database is full; nothing was stored");
    default:
      // The details are for the operator, not for the client.
      std::fprintf(stderr, "service: %s %s: %s\n", std::string(name_of(why.kind())).c_str(), why.code().c_str(),
                   why.message().c_str());
      return refuse(to, 500, "internal error");
  }
}

task<unsigned> respond_with_item(response& to, tare::db::result<tare::db::rows> rows) {
  if (!rows) co_return co_await fail(to, rows.error());
  auto found = co_await catalogue::item_in(*std::move(rows));
  if (!found) co_return co_await fail(to, found.error());
  if (!*found) co_return co_await refuse(to, 404, "no such item");
  co_return co_await respond(to, 200, described(**found));
}

/// Very many requests wait here for the database, so it keeps only what they need then.
task<unsigned> find_and_respond(response& to, task<tare::db::result<tare::db::rows>> finding) {
  auto responding = respond_with_item(to, co_await std::move(finding));
  co_return co_await std::move(responding);
}

task<unsigned> get_item(application& app, request& request, response& to) {
  const auto id = tare::http::param<std::int64_t>(request, "id");
  if (!id) return refuse(to, 400, "the id of an item is an integer");
  request.discard();
  return find_and_respond(to, app.items.find(*id));
}

struct new_item {
  std::string name;
  double price;
};

/// The item that a body describes, or an error message.
std::expected<new_item, std::string_view> read_item(const json& body) {
  if (!body.is_object()) return std::unexpected("the body is not a JSON object");
  const auto name = body.find("name");
  const auto price = body.find("price");
  if (name == body.end() || !name->is_string() || name->get_ref<const std::string&>().empty() ||
      name->get_ref<const std::string&>().find('\0') != std::string::npos) {
    return std::unexpected("'name' must be a non-empty string");
  }
  if (price == body.end() || !price->is_number() || !std::isfinite(price->get<double>()) || price->get<double>() < 0) {
    return std::unexpected("'price' must be a non-negative number");
  }
  return new_item{.name = name->get<std::string>(), .price = price->get<double>()};
}

task<unsigned> post_item(application& app, request& request, response& to) {
  std::expected<new_item, std::string_view> made;
  {
    auto body = co_await tare::http::read_json(request);
    if (!body) co_return co_await refuse(to, body.error().status, body.error().message);
    made = read_item(*body);
  }
  if (!made) co_return co_await refuse(to, 400, made.error());
  // The text has been freed; while it waits for the database, the request holds only the item.
  (void)co_await request.reserve(made->name.capacity());
  auto id = co_await app.items.add(made->name, made->price);
  if (!id) co_return co_await fail(to, id.error());
  to.set("location", "/items/" + std::to_string(*id));
  const item stored{.id = *id, .name = std::move(made->name), .price = made->price};
  co_return co_await respond(to, 201, described(stored));
}

/// For operators: what the service's coroutines wait for.
task<unsigned> get_tasks(application& app, request& request, response& to) {
  constexpr std::size_t report_bytes = std::size_t{16} << 10U;  // while it is made and sent
  const bool fits = co_await request.reserve(report_bytes);
  if (!fits) co_return co_await refuse(to, 503, "busy");
  json described = co_await app.tasks.describe();
  co_return co_await respond(to, 200, std::move(described));
}

using answering = task<unsigned> (*)(application&, request&, response&);

constexpr unsigned without_response = 499;  // the client disconnected, or there was no time left

/// Counts a request when its handler has ended.
task<> measured(metrics& in, route of, std::chrono::steady_clock::time_point began, task<unsigned> handling) {
  try {
    const unsigned status = co_await std::move(handling);
    in.count(of, status, tare::now() - began);
  } catch (...) {
    in.count(of, without_response, tare::now() - began);
    throw;
  }
}

/// Runs one of the above handlers and counts it.
task<> run_measured(application& app, route of, answering how, request& request, response& to) {
  const auto began = tare::now();
  try {
    return measured(app.measured, of, began, how(app, request, to));
  } catch (...) {
    app.measured.count(of, without_response, tare::now() - began);
    throw;
  }
}

}  // namespace

task<std::string> metrics_of(application& app, tare::http::serving_figures servers) {
  const auto seen = co_await app.tasks.look();
  metrics& set = app.measured;
  set.connections.Set(static_cast<double>(servers.connections));
  set.active.Set(static_cast<double>(servers.active_requests));
  set.tasks.Set(static_cast<double>(servers.connections + app.runtime.detached_tasks()));
  set.database_connections.Set(static_cast<double>(app.items.database().capacity()));
  set.database_lent.Set(static_cast<double>(app.items.database().lent()));
  set.set_tasks(*seen);
  const tare::runtime_collector figures(app.runtime, &app.watch);
  co_return tare::metrics_text({&set.registry(), &figures});
}

tare::http::handler make_routes(application& app) {
  const auto counted = [&app](route of, answering how) -> tare::http::handler {
    return [&app, of, how](request& request, response& to) { return run_measured(app, of, how, request, to); };
  };
  tare::http::router routes;
  routes.get("/items/{id}", counted(route::get_item, &get_item));
  routes.post("/items", counted(route::post_item, &post_item));
  routes.get("/debug/tasks", counted(route::other, &get_tasks));
  return routes;
}

}  // namespace service
