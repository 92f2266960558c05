#pragma once

// Errors of databases.
//
//   auto added = co_await db.execute("INSERT INTO items (name) VALUES ($1)", name);
//   if (!added && added.error().kind() == tare::db::error_kind::constraint) co_return conflict();
//
// Errors are values: `tare::db::result<T>` is std::expected<T, error>. Cancellation of the task is not such an error:
// it throws `tare::cancelled`, as in every await.
//
// **Threads** A value: any, one at a time. **Bytes** An error is 8 and an allocation; a result without an error
// allocates nothing.

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>

namespace tare::db {

/// Classifies errors by what you can do about them; `error::code` gives the exact error.
enum class error_kind : std::uint8_t {
  unavailable,  ///< connecting failed or the connection was lost; whether a running statement took effect is unknown
  busy,         ///< locked, deadlocked or not serializable: you may retry the whole transaction
  constraint,   ///< a unique, foreign key, not-null or check constraint was violated
  disk_full,    ///< the database could not grow; the current work is undone
  syntax,       ///< the statement is wrong: its text, a name in it, or its number of parameters
  data,         ///< a value is out of range, of the wrong type, or malformed
  denied,       ///< not logged in, not permitted, or read-only
  cancelled,    ///< stopped by an administrator or by the database's own time limit
  protocol,     ///< the server violated the protocol, or the database file is damaged
  other,
};

/// The name of the enumerator: "unavailable", "busy" ...
[[nodiscard]] std::string_view name_of(error_kind kind) noexcept;

/// Copyable; a moved-from error may only be assigned to or destroyed.
class error {
 public:
  error(error_kind kind, std::string code, std::string message);
  error(const error& other) : details_(std::make_unique<details>(*other.details_)) {}
  error(error&&) noexcept = default;
  error& operator=(const error& other) {
    error copy(other);
    details_.swap(copy.details_);
    return *this;
  }
  // Not inline, because g++ 12 wrongly warns that memory inside a coroutine's frame is freed.
  error& operator=(error&&) noexcept;
  ~error();

  [[nodiscard]] error_kind kind() const noexcept { return details_->kind; }
  /// PostgreSQL's SQLSTATE ("23505") or SQLite's extended result code ("2067"); empty if the error is not from the
  /// database.
  [[nodiscard]] const std::string& code() const noexcept { return details_->code; }
  /// One line, for people.
  [[nodiscard]] const std::string& message() const noexcept { return details_->message; }

 private:
  struct details {
    error_kind kind;
    std::string code;
    std::string message;
  };
  std::unique_ptr<details> details_;
};

template <class T>
using result = std::expected<T, error>;

}  // namespace tare::db
