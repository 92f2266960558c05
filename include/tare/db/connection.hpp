#pragma once

// Exclusive use of a connection from a pool.
//
//   auto connection = co_await db.acquire();
//   if (!connection) co_return std::unexpected(connection.error());
//   auto total = co_await connection->query_one<std::int64_t>("SELECT count(*) FROM items");
//
// You need it for state that belongs to a connection (temporary tables, settings). Otherwise call the same functions on
// the pool, which lends a connection only as long as necessary. **Bytes** 8.

#include <tare/db/detail/lease.hpp>
#include <tare/db/statements.hpp>
#include <tare/db/transaction.hpp>

#include <utility>

namespace tare::db {

/// Move-only. Returns to its pool when this and all its `rows` are destroyed. One statement at a time.
///
/// **Errors** A call before `rows` have been read to the end throws std::logic_error. **Cancellation** As for every
/// statement (statements.hpp); the connection can be used afterwards. **Threads** Tasks of any shard, one at a time.
class connection : public statements<connection> {
 public:
  /// For the library.
  explicit connection(detail::lease held) noexcept : held_(std::move(held)) {}
  connection(connection&&) noexcept = default;
  connection& operator=(connection&&) noexcept = default;
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;
  ~connection() = default;

  /// Begins a transaction on this connection. **Errors** Throws std::logic_error while another one is open.
  task<result<transaction>> begin(transaction_options options = {});

 private:
  friend class statements<connection>;
  task<result<rows>> start_query(std::string_view sql, parameters bound);
  task<result<std::uint64_t>> start_execute(std::string_view sql, parameters bound);
  task<result<std::vector<std::uint64_t>>> start_batch(batch all);
  task<result<void>> start_script(std::string_view sql);

  detail::lease held_;
};

}  // namespace tare::db
