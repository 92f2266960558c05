#pragma once

// A connection to PostgreSQL through libpq, which never blocks the shard: the reactor waits for the socket.
//
// libpq is in pipeline mode nearly all the time. A statement is sent in one go with everything it needs (the text to
// prepare, if new to this session; the values; a synchronization point), and it has ended when the response to the
// synchronization point has been read. Rows are taken from libpq one by one on demand; the rest stays in the socket,
// which throttles the server.
//
// The parts: session.cpp (the connection, whole operations), sending.cpp, receiving.cpp, ending.cpp (cancelling).
//
// An already prepared statement is sent again, once, if the server reports that it has become invalid, as it does after
// changes of tables. This happens only outside a transaction, because a transaction has failed by then.

#include "db/postgresql/encoding.hpp"
#include "db/postgresql/handles.hpp"
#include "db/postgresql/login.hpp"
#include "db/session.hpp"
#include "db/statement_cache.hpp"

#include <tare/semaphore.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tare::db::detail {

/// Shared by the sessions of one pool.
struct postgresql_shared {
  static constexpr std::size_t max_cancels = 4;

  login_parameters login;
  std::size_t cached_statements = 0;
  bool reset_connections = true;
  semaphore cancels{max_cancels};  ///< limits concurrent cancel requests
};

class postgresql_session final : public session {
 public:
  explicit postgresql_session(postgresql_shared& with) : shared_(with), statements_(with.cached_statements) {}

  task<result<void>> connect() override;
  [[nodiscard]] bool connected() const noexcept override;
  [[nodiscard]] bool seems_alive() noexcept override;
  task<result<progress>> start(std::string_view sql, parameters bound, row_block* into) override;
  task<result<progress>> more(row_block& into) override { return collect(&into); }
  task<result<std::vector<std::uint64_t>>> run(const batch& all) override;
  task<result<void>> run_script(std::string_view sql) override;
  task<result<void>> begin(transaction_options options) override;
  task<result<void>> settle() override;
  task<result<void>> reset() override;
  void close() noexcept override;
  [[nodiscard]] bool under_way() const noexcept override { return running_; }
  [[nodiscard]] bool clean() const noexcept override;

 private:
  struct statement {
    std::string name;
    std::string sql;
    std::shared_ptr<const column_names> names;
    bool confirmed = false;  ///< the server has prepared it
  };
  enum class command : std::uint8_t { forget, prepare, execute };
  struct sent_command {
    command what;
    statement* about;
    bool ended = false;  ///< its result has arrived
  };

  // Sending. These write into libpq's buffer, and fail only if the connection is lost or memory is short.
  [[nodiscard]] bool send(std::string_view sql, const parameters& bound);
  [[nodiscard]] bool send_surplus();
  [[nodiscard]] bool send_sync();
  [[nodiscard]] bool send_statement(std::string_view sql, const parameters& bound);
  void begin_pipeline();
  task<result<void>> flush();
  task<result<progress>> flush_and_collect(row_block* into);

  // Receiving.
  task<result<progress>> collect(row_block* into);
  /// Processes one result. True if a block of rows is full.
  [[nodiscard]] bool take(const PGresult& got, row_block* into);
  /// Closes the connection because the server violates the protocol.
  void distrust(error why) noexcept;
  [[nodiscard]] bool accepts(ExecStatusType status) noexcept;
  void command_ended(bool wants_rows) noexcept;
  /// The pipeline has ended: true if the statement must be sent once more.
  [[nodiscard]] bool finish();
  /// The results of a synchronization point have arrived: true if it is the last one.
  [[nodiscard]] bool passes_sync();
  /// Discards notifications: LISTEN is not supported.
  void drop_notifications() noexcept;
  task<result<void>> drain();

  // Ending.
  task<result<void>> make_clean();
  task<result<void>> stop();
  task<> send_cancel(cancel_target target);
  /// Settings of the last borrower may remain.
  [[nodiscard]] bool is_altered() const noexcept { return altered && shared_.reset_connections; }
  [[nodiscard]] error lost();
  [[nodiscard]] static error lost_before();
  [[nodiscard]] std::shared_ptr<const column_names> names_of(const PGresult& got);

  postgresql_shared& shared_;
  pq<PGconn> connection_;
  std::optional<cancel_target> cancel_;
  unsigned unconfirmed_ = 0;  ///< cancel requests that may still reach the session
  statement_cache<statement> statements_;
  std::vector<std::string> surplus_;  ///< names of prepared statements to deallocate on the server
  std::uint64_t prepared_ = 0;
  encoded_parameters encoded_;

  // State of the running statement.
  bool running_ = false;
  bool synced_ = false;  ///< the last synchronization point has been sent
  bool committing_ = false;
  bool sent_again_ = false;
  bool rows_given_ = false;
  std::vector<sent_command> commands_;
  std::size_t at_ = 0;         ///< the command whose results arrive now
  std::size_t forgotten_ = 0;  ///< number of names at the front of `surplus_`
  unsigned syncs_ = 0;         ///< synchronization points that have been sent but not passed
  parameters bound_;
  std::uint64_t changes_ = 0;
  std::vector<std::uint64_t>* all_changes_ = nullptr;
  std::optional<error> failure_;
};

}  // namespace tare::db::detail
