#pragma once

// The database that the tests of this program use.

#include <tare/db.hpp>
#include <tare/task.hpp>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>

namespace db_test {

/// A database without tables, which exists until the test ends.
class backend {
 public:
  backend();
  backend(const backend&) = delete;
  backend& operator=(const backend&) = delete;
  ~backend();

  [[nodiscard]] const std::string& uri() const { return uri_; }

  /// The type of a column that numbers its rows.
  static const char* const numbering;
  /// An expression that raises an error of kind `data`.
  static const char* const bad_value;
  /// A query that returns `count` rows of one integer, starting from 1.
  static std::string series(const std::string& count);

 private:
  std::string uri_;
};

/// The value; throws if it is an error.
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

/// A table of items without rows, and the number of its rows.
inline tare::task<> make_items(tare::db::pool& in) {
  must(co_await in.execute(std::string("CREATE TABLE items (id ") + backend::numbering +
                           ", name TEXT NOT NULL, price DOUBLE PRECISION)"));
}
inline tare::task<std::int64_t> count_items(tare::db::pool& in) {
  co_return must(co_await in.query_one<std::int64_t>("SELECT count(*) FROM items")).value();
}

}  // namespace db_test
