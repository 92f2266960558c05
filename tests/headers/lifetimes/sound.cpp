// What is in order: no warning, and all headers compile with the checks.

#include <tare/db.hpp>
#include <tare/http.hpp>
#include <tare/net.hpp>
#include <tare/tare.hpp>

#include <cstdio>
#include <string>
#include <utility>

tare::task<int> length_of(const std::string& text) { co_return static_cast<int>(text.size()); }
tare::task<> print(std::string text) {
  std::puts(text.c_str());
  co_return;
}
tare::stream<int> numbers(const int& from) { co_yield from; }

TARE_COROUTINE_WRAPPER tare::task<int> of_argument(const std::string& text) { return length_of(text); }

tare::task<int> in_time() {
  int sum = co_await length_of(std::string("lives until the await has ended"));
  const std::string local = "lives longer than the task";
  auto later = length_of(local);
  sum += co_await std::move(later);
  sum += co_await of_argument(local);
  tare::spawn(print(std::string("by value")));
  auto both = co_await tare::when_all(length_of("one"), length_of("other"));
  sum += std::get<0>(both);
  auto stored = numbers(sum);
  while (auto next = co_await stored.next()) sum += *next;
  co_return sum;
}
