#pragma once

// The rows of a result, read on demand.
//
//   auto items = co_await db.query("SELECT id, name FROM items WHERE price < $1", 10);
//   if (!items) co_return std::unexpected(items.error());
//   for (;;) {
//     auto row = co_await items->next();             // std::expected<std::optional<tare::db::row>, error>
//     if (!row) co_return std::unexpected(row.error());
//     if (!*row) break;                              // that was all
//     use((*row)->get<std::int64_t>(0));
//   }
//
// Rows are read about 16 KiB at a time, whatever the size of the result; the next ones are requested only when these
// have been consumed. A result that fits returns its connection to the pool before you see its first row.
//
// **Bytes** 8, and about 100 plus the rows that have been read, outside the frame.

#include <tare/db/error.hpp>
#include <tare/db/row.hpp>
#include <tare/task.hpp>

#include <coroutine>
#include <cstddef>
#include <memory>
#include <optional>
#include <utility>

namespace tare::db {

namespace detail {
struct row_stream;  // src/db/row_stream.hpp
}  // namespace detail

/// Move-only. Destroying it before the last row stops the query and returns the connection.
///
/// **Threads** Tasks of any shard, one at a time.
class rows {
 public:
  class next_awaiter;
  struct [[nodiscard("nothing happens until it is awaited")]] next_request {
    using tare_awaiter = next_awaiter;
    rows& of;
  };

  /// For the library.
  explicit rows(std::unique_ptr<detail::row_stream> stream) noexcept;
  rows(rows&&) noexcept;
  rows& operator=(rows&&) noexcept;
  rows(const rows&) = delete;
  rows& operator=(const rows&) = delete;
  ~rows();

  /// The next row, or nullopt after the last one, or after an error. Suspends only if no row is buffered.
  ///
  /// **Errors** Those of the query, also after some rows. **Cancellation** Stops the query, and releases the
  /// connection; the rows that were not read are lost, and a transaction has failed.
  next_request next() noexcept { return {*this}; }

  /// Names of the columns.
  [[nodiscard]] const std::vector<std::string>& columns() const noexcept;

 private:
  [[nodiscard]] bool advance() noexcept;
  task<result<bool>> fetch();
  [[nodiscard]] std::optional<row> current() const noexcept;

  std::unique_ptr<detail::row_stream> stream_;
};

class rows::next_awaiter {
 public:
  next_awaiter(next_request request, tare::detail::wait_state& /*task*/) noexcept : of_(request.of) {}

  [[nodiscard]] bool await_ready() noexcept { return --tare::detail::current_shard->budget >= 0 && of_.advance(); }
  template <class Promise>
  std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> self) {
    // From here on this awaits a child.
    auto fetched = of_.fetch();
    self.promise().set_kind(tare::detail::wait_kind::child);
    return fetched_.emplace(fetched.release()).await_suspend(self);
  }
  result<std::optional<row>> await_resume() {
    if (fetched_) {
      auto more = fetched_->await_resume();
      if (!more) return std::unexpected(std::move(more.error()));
      if (!*more) return std::nullopt;
    }
    return of_.current();
  }

 private:
  rows& of_;
  std::optional<tare::detail::child_awaiter<result<bool>>> fetched_;
};

}  // namespace tare::db
