#pragma once

// Statements that are sent together: one round trip to PostgreSQL, one call on the blocking pool for SQLite.
//
//   tare::db::batch added;
//   for (auto& item : items) added.add("INSERT INTO items (name, price) VALUES ($1, $2)", item.name, item.price);
//   auto changes = co_await db.execute(std::move(added));       // all of them, or none
//
// **Bytes** 24 per statement, plus its parameters.

#include <tare/db/parameters.hpp>

#include <cstddef>
#include <string_view>
#include <utility>
#include <vector>

namespace tare::db {

/// **Errors** `add` throws as `parameters` do. **Cancellation** Nothing waits. **Threads** A value: any, one at a time.
class batch {
 public:
  struct statement {
    std::string_view sql;
    parameters bound;
  };

  /// The text must stay valid until the batch has been executed; the values are copied.
  template <bindable... P>
  void add(std::string_view sql, const P&... values) {
    statements_.push_back({sql, parameters(values...)});
  }

  [[nodiscard]] std::size_t size() const noexcept { return statements_.size(); }
  [[nodiscard]] const std::vector<statement>& statements() const noexcept { return statements_; }

 private:
  std::vector<statement> statements_;
};

}  // namespace tare::db
