#pragma once

// What a database can answer instead of a result.
//
//   auto added = co_await db.execute("INSERT INTO items (name) VALUES ($1)", name);
//   if (!added && added.error().kind() == tare::db::error_kind::constraint) co_return conflict();
//
// Errors are values: `tare::db::result<T>` is std::expected<T, error>. Cancellation of the task is no error: it throws
// `tare::cancelled`, as every await does. An error is 8 bytes and an allocation; a result without one allocates
// nothing.

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>

namespace tare::db {

/// What to do about it, rather than what exactly it was: `error::code` tells that.
enum class error_kind : std::uint8_t {
  unavailable,  ///< no connection could be made, or it was lost; whether a statement under way was done is not known
  busy,         ///< locked, deadlocked or not serializable: the whole transaction may be tried again
  constraint,   ///< a unique, foreign, not-null or check constraint
  disk_full,    ///< the database could not grow; what was under way is undone
  syntax,       ///< the statement is wrong: its text, a name in it, or the number of its parameters
  data,         ///< a value is out of range, of the wrong type, or malformed
  denied,       ///< not logged in, not permitted, or read-only
  cancelled,    ///< stopped by somebody else: an administrator, or the database's own time limit
  protocol,     ///< the other side does not speak as it should, or the database file is damaged
  other,
};

/// "unavailable", "busy" ...
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
  // Not inline: g++ 12 takes the place of an error in a coroutine's frame for what is freed, and warns.
  error& operator=(error&&) noexcept;
  ~error();

  [[nodiscard]] error_kind kind() const noexcept { return details_->kind; }
  /// PostgreSQL's SQLSTATE ("23505") or SQLite's extended result code ("2067"); empty if it is not the database's.
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
