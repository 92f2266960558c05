#pragma once

// The database that the tests of this program run on.

#include <tare/db.hpp>

#include <stdexcept>
#include <string>
#include <utility>

namespace db_test {

/// A database without tables. It is there until the test ends.
class backend {
 public:
  backend();
  backend(const backend&) = delete;
  backend& operator=(const backend&) = delete;
  ~backend();

  [[nodiscard]] const std::string& uri() const { return uri_; }

  /// What a column is declared as that numbers its rows.
  static const char* const numbering;
  /// What raises an error of kind `data` when it is evaluated.
  static const char* const bad_value;
  /// A query that gives so many rows of one integer, from 1 on.
  static std::string series(const std::string& count);

 private:
  std::string uri_;
};

/// The value, or a failure of the test with the error's message.
template <class T>
T must(tare::db::result<T> made) {
  if (!made) {
    throw std::runtime_error(std::string(tare::db::name_of(made.error().kind())) + " " + made.error().code() + ": " +
                             made.error().message());
  }
  if constexpr (!std::is_void_v<T>) return *std::move(made);
}

inline tare::db::pool open(const backend& on, tare::db::pool_options options = {}) {
  return must(tare::db::pool::open(on.uri(), options));
}

}  // namespace db_test
