#pragma once

// Running statements: the same functions for a pool, a connection and a transaction.
//
//   auto price = co_await db.query_one<double>("SELECT price FROM items WHERE id = $1", id);
//   auto added = co_await db.execute("INSERT INTO items (name, price) VALUES ($1, $2)", "tare", 9.5);
//
// Statements are prepared once per connection and cached. Their text must stay valid until the await ends; the values
// are copied by the call.
//
// **Errors** Those of the database, as `error` (error.hpp). Throws std::bad_alloc, what `parameters` throw, and
// std::logic_error if `rows` of the connection have not been read to the end or the transaction is over.
// **Cancellation** Every call is a cancellation point. A cancelled call stops the statement in the database; whether it
// has taken effect is unknown, and a transaction can then only be rolled back. **Threads** Those of what it is called
// on. **Bytes** docs/bytes.md.

#include <tare/db/batch.hpp>
#include <tare/db/error.hpp>
#include <tare/db/parameters.hpp>
#include <tare/db/row.hpp>
#include <tare/db/rows.hpp>
#include <tare/task.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace tare::db {

namespace detail {

template <class... T>
struct one_row {
  using type = std::tuple<T...>;
};
template <class T>
struct one_row<T> {
  using type = T;
};

template <class T>
inline constexpr bool is_view = std::is_same_v<T, std::string_view> || std::is_same_v<T, std::span<const std::byte>>;
template <class T>
inline constexpr bool is_view<std::optional<T>> = is_view<T>;

template <class... T>
result<typename one_row<T...>::type> values_of(const row& from) {
  return [&]<std::size_t... I>(std::index_sequence<I...>) -> result<typename one_row<T...>::type> {
    auto values = std::tuple<result<T>...>(from.try_get<T>(I)...);
    const error* wrong = nullptr;
    ((wrong = wrong == nullptr && !std::get<I>(values) ? &std::get<I>(values).error() : wrong), ...);
    if (wrong != nullptr) return std::unexpected(*wrong);
    return typename one_row<T...>::type(*std::move(std::get<I>(values))...);
  }(std::index_sequence_for<T...>());
}

}  // namespace detail

/// The first row of the result of `query`, as `query_one` returns it. For a query that very many tasks wait for: a task
/// that awaits `query`, and then this, holds less while it waits for a connection, because no column has a place yet.
///
/// **Errors** Those of the query; `data` if a column does not convert. Throws std::out_of_range if there are fewer
/// columns. **Cancellation** Stops the query. **Threads** Any shard. **Bytes** A frame, when the rows are there.
template <class... T>
  requires(sizeof...(T) > 0)
task<result<std::optional<typename detail::one_row<T...>::type>>> first_row(rows found) {
  static_assert(!(... || detail::is_view<T>), "the row is gone when this returns: take std::string or a vector");
  auto first = co_await found.next();
  if (!first) co_return std::unexpected(std::move(first.error()));
  if (!*first) co_return std::nullopt;
  auto values = detail::values_of<T...>(**first);
  if (!values) co_return std::unexpected(std::move(values.error()));
  // A query without further rows ends here; otherwise it is stopped.
  auto second = co_await found.next();
  if (!second) co_return std::unexpected(std::move(second.error()));
  co_return *std::move(values);
}

namespace detail {

/// Separate from `first_row`, so that a waiting query does not hold what is needed only afterwards.
template <class... T>
task<result<std::optional<typename one_row<T...>::type>>> first_row_of(task<result<rows>> query) {
  auto found = co_await std::move(query);
  if (!found) co_return std::unexpected(std::move(found.error()));
  co_return co_await first_row<T...>(*std::move(found));
}

}  // namespace detail

/// Base of `pool`, `connection` and `transaction`.
template <class On>
class statements {
 public:
  /// Runs a statement that returns rows.
  template <bindable... P>
  TARE_COROUTINE_WRAPPER task<result<rows>> query(std::string_view sql, const P&... values) {
    return on().start_query(sql, parameters(values...));
  }

  /// The first row's columns as a T, or a tuple of several; nullopt if there is no row. A column that does not convert
  /// to its T is an error of kind `data`. Throws std::out_of_range if there are fewer columns.
  template <class... T, bindable... P>
    requires(sizeof...(T) > 0)
  task<result<std::optional<typename detail::one_row<T...>::type>>> query_one(std::string_view sql,
                                                                              const P&... values) {
    static_assert(!(... || detail::is_view<T>), "the row is gone when this returns: take std::string or a vector");
    return on().template start_first<T...>(sql, parameters(values...));
  }

  /// Runs a statement, ignores its rows if any, and returns the number of rows it has changed.
  template <bindable... P>
  TARE_COROUTINE_WRAPPER task<result<std::uint64_t>> execute(std::string_view sql, const P&... values) {
    return on().start_execute(sql, parameters(values...));
  }

  /// Runs all statements or none: outside a transaction, they form one. Returns the number of rows changed by each.
  TARE_COROUTINE_WRAPPER task<result<std::vector<std::uint64_t>>> execute(batch all) {
    return on().start_batch(std::move(all));
  }

  /// Runs a text of several statements without parameters, such as a schema file: all of them or none. It must not
  /// contain BEGIN or COMMIT.
  TARE_COROUTINE_WRAPPER task<result<void>> execute_script(std::string_view sql) { return on().start_script(sql); }

 private:
  friend On;
  statements() = default;
  [[nodiscard]] On& on() noexcept { return static_cast<On&>(*this); }
  /// A pool has one of its own.
  template <class... T>
  auto start_first(std::string_view sql, parameters bound) {
    return detail::first_row_of<T...>(on().start_query(sql, std::move(bound)));
  }
};

}  // namespace tare::db
