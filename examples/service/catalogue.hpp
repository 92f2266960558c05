#pragma once

// The items, in either database.

#include <tare/db.hpp>
#include <tare/task.hpp>

#include <cstdint>
#include <optional>
#include <string>

namespace service {

struct item {
  std::int64_t id = 0;
  std::string name;
  double price = 0;
};

class catalogue {
 public:
  catalogue(tare::db::pool database, bool on_postgresql) noexcept
      : database_(std::move(database)), on_postgresql_(on_postgresql) {}

  /// Creates the table if it does not exist.
  [[nodiscard]] tare::task<tare::db::result<void>> prepare();
  /// Inserts some items into an empty table.
  [[nodiscard]] tare::task<tare::db::result<void>> seed();

  /// The row of the item, for `item_in`. Very many requests wait for it, so it is not a coroutine of its own, and the
  /// item gets its place when the row is there.
  [[nodiscard]] tare::task<tare::db::result<tare::db::rows>> find(std::int64_t id) {
    return database_.query("SELECT id, name, price FROM items WHERE id = $1", id);
  }
  [[nodiscard]] static tare::task<tare::db::result<std::optional<item>>> item_in(tare::db::rows found);
  /// The new item's id. A duplicate name is an error of kind `constraint`.
  [[nodiscard]] tare::task<tare::db::result<std::int64_t>> add(const std::string& name, double price);
  /// Whether the database is available.
  [[nodiscard]] tare::task<bool> answers();

  [[nodiscard]] tare::db::pool& database() noexcept { return database_; }

 private:
  tare::db::pool database_;
  bool on_postgresql_;
};

}  // namespace service
