// The same for databases.

#include <tare/db.hpp>

#include <tare/tare.hpp>

#include <cstdint>
#include <cstdio>
#include <exception>

namespace {

tare::task<std::int64_t> twenty_one_twice(tare::db::pool& database) {
  auto found = co_await database.query("SELECT 21 * 2");
  if (!found) co_return 0;
  auto row = co_await found->next();
  co_return row && *row ? (*row)->get<std::int64_t>(0) : 0;
}

}  // namespace

int main() {
  try {
    auto database = tare::db::pool::open("sqlite::memory:");
    if (database && tare::run(twenty_one_twice(*database)) == 42) {
      std::puts("tare::db works from outside");
      return 0;
    }
    std::puts("wrong result");
  } catch (const std::exception& error) {
    std::puts(error.what());
  }
  return 1;
}
