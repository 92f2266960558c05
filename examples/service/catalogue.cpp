#include "catalogue.hpp"

#include <tare/timeout.hpp>

#include <chrono>
#include <string_view>
#include <tuple>
#include <utility>

namespace service {

using tare::task;
using tare::db::result;

task<result<void>> catalogue::prepare() {
  constexpr std::string_view sqlite =
      "CREATE TABLE IF NOT EXISTS items (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, price REAL NOT NULL)";
  constexpr std::string_view postgresql =
      "CREATE TABLE IF NOT EXISTS items (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name TEXT NOT NULL "
      "UNIQUE, price DOUBLE PRECISION NOT NULL)";
  auto made = co_await database_.execute_script(on_postgresql_ ? postgresql : sqlite);
  co_return made;
}

task<result<void>> catalogue::seed() {
  constexpr int items = 1000;
  auto count = co_await database_.query_one<std::int64_t>("SELECT count(*) FROM items");
  if (!count) co_return std::unexpected(std::move(count.error()));
  if (count->value_or(0) != 0) co_return result<void>();
  tare::db::batch all;
  for (int i = 1; i <= items; ++i) {
    all.add("INSERT INTO items (name, price) VALUES ($1, $2)", "item " + std::to_string(i), i * 0.25);
  }
  auto added = co_await database_.execute(std::move(all));
  if (!added) co_return std::unexpected(std::move(added.error()));
  co_return result<void>();
}

task<result<std::optional<item>>> catalogue::item_in(tare::db::rows found) {
  auto row = co_await tare::db::first_row<std::int64_t, std::string, double>(std::move(found));
  if (!row) co_return std::unexpected(std::move(row.error()));
  if (!*row) co_return std::nullopt;
  auto& [id, name, price] = **row;
  co_return item{.id = id, .name = std::move(name), .price = price};
}

task<result<std::int64_t>> catalogue::add(const std::string& name, double price) {
  auto id = co_await database_.query_one<std::int64_t>("INSERT INTO items (name, price) VALUES ($1, $2) RETURNING id",
                                                       name, price);
  if (!id) co_return std::unexpected(std::move(id.error()));
  co_return id->value_or(0);
}

task<bool> catalogue::answers() {
  using namespace std::chrono_literals;
  auto response = co_await tare::timeout(1s, database_.query_one<std::int64_t>("SELECT 1"));
  co_return response && *response;
}

}  // namespace service
