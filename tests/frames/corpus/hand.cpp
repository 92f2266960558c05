// Coroutines of tasks written by hand. Every line with an await that can suspend ends with a comment: await NAME, where
// NAME is the coroutine's.

#include "recorded.hpp"

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

namespace corpus {

struct large {
  char data[300];
  int tail;
};
struct alignas(16) aligned_16 {
  char data[40];
};
struct alignas(32) aligned_32 {
  char data[40];
};

task<int> nothing() { co_return 1; }

task<int> one_await() {
  co_return co_await pause{};  // await one_await
}

task<int> parameter(int a) {
  int r = co_await pause{a};  // await parameter
  co_return r + a;
}

task<int> by_value(std::string text) {
  int r = co_await pause{};  // await by_value
  co_return r + static_cast<int>(text.size());
}

task<int> by_reference(const std::string& text) {
  int r = co_await pause{};  // await by_reference
  co_return r + static_cast<int>(text.size());
}

task<int> buffer() {
  char data[200];
  use(data);
  int r = co_await pause{};  // await buffer
  co_return r + use(data);
}

task<int> two_scopes() {
  int r = 0;
  {
    large first;
    use(&first);
    r += co_await pause{1};  // await two_scopes
    r += use(&first);
  }
  {
    large second;
    use(&second);
    r += co_await pause{2};  // await two_scopes
    r += use(&second);
  }
  co_return r;
}

task<int> in_loop(int n) {
  int sum = 0;
  for (int i = 0; i < n; ++i) {
    sum += co_await pause{i};  // await in_loop
  }
  co_return sum;
}

task<int> nested_loops(int n) {
  int sum = 0;
  for (int i = 0; i < n; ++i) {
    std::string line(static_cast<std::size_t>(i), 'x');
    sum += co_await pause{i};  // await nested_loops
    for (char c : line) {
      sum += c;
      sum += co_await pause{2};  // await nested_loops
    }
  }
  co_return sum;
}

task<int> branches(int n) {
  if (n > 3) {
    co_return co_await pause{1};  // await branches
  }
  if (n > 2) {
    std::vector<int> numbers(10);
    int r = co_await pause{2};  // await branches
    co_return r + numbers[3];
  }
  co_return co_await pause{3};  // await branches
}

task<int> switched(int n) {
  switch (n) {
    case 0:
      co_return co_await pause{1};  // await switched
    case 1:
      co_return co_await pause{2};  // await switched
    case 2:
      co_return co_await pause{4};  // await switched
    default:
      co_return co_await pause{8};  // await switched
  }
}

task<int> catches() {
  std::string message = "none";
  int r = 0;
  try {
    r = co_await pause{};  // await catches
    if (r > 0) throw r;
  } catch (int caught) {
    r = caught + static_cast<int>(message.size());
  }
  r += co_await pause{2};  // await catches
  co_return r;
}

task<int> child_of(int n) {
  co_return n + co_await pause{};  // await child_of
}

task<int> parent_of(int n) {
  int r = co_await child_of(n);   // await parent_of
  r += co_await child_of(n + 1);  // await parent_of
  co_return r;
}

task<int> grandparent() {
  std::array<int, 20> numbers{};
  use(&numbers);
  int r = co_await parent_of(3);  // await grandparent
  co_return r + numbers[4];
}

task<std::string> makes_text(int n) {
  std::string text(static_cast<std::size_t>(n), 'a');
  text += std::to_string(co_await pause{n});  // await makes_text
  co_return text;
}

task<int> uses_text() {
  const std::string text = co_await makes_text(3);  // await uses_text
  co_return static_cast<int>(text.size());
}

task<int> owns(std::unique_ptr<large> box) {
  int r = co_await pause{};  // await owns
  co_return r + box->tail;
}

task<int> shares(std::shared_ptr<large> box) {
  std::weak_ptr<large> weak = box;
  int r = co_await pause{};  // await shares
  co_return r + static_cast<int>(weak.use_count());
}

task<int> optional_value(std::optional<int> maybe) {
  int r = maybe ? co_await pause{*maybe} : 0;  // await optional_value
  co_return r;
}

task<int> with_map() {
  std::map<std::string, int> counts;
  counts["a"] = co_await pause{1};  // await with_map
  counts["b"] = co_await pause{2};  // await with_map
  co_return static_cast<int>(counts.size());
}

task<int> with_aligned_16() {
  aligned_16 block;
  use(&block);
  int r = co_await pause{};  // await with_aligned_16
  co_return r + use(&block);
}

task<int> with_aligned_32() {
  aligned_32 block;
  use(&block);
  int r = co_await pause{};  // await with_aligned_32
  co_return r + use(&block);
}

task<int> with_doubles(double x) {
  const double half = x / 2;
  double sum = co_await pause{};  // await with_doubles
  sum += half;
  sum += co_await pause{};  // await with_doubles
  co_return static_cast<int>(sum + x);
}

task<int> many_awaits(int n) {
  int r = n;
  r += co_await pause{1};  // await many_awaits
  r += co_await pause{2};  // await many_awaits
  r += co_await pause{3};  // await many_awaits
  r += co_await pause{4};  // await many_awaits
  r += co_await pause{5};  // await many_awaits
  r += co_await pause{6};  // await many_awaits
  r += co_await pause{7};  // await many_awaits
  r += co_await pause{8};  // await many_awaits
  co_return r;
}

task<int> late_variable(int n) {
  int r = co_await pause{n};  // await late_variable
  large block;
  use(&block);
  r += block.tail;
  r += co_await pause{n};  // await late_variable
  co_return r;
}

task<int> early_buffer(int n) {
  large block;
  use(&block);
  const int first = block.tail;
  int r = co_await pause{n};  // await early_buffer
  co_return r + first;
}

eager starts_at_once(int n) {
  std::string text(static_cast<std::size_t>(n), 'x');
  co_await pause{};  // await starts_at_once
  use(&text);
  co_await pause{};  // await starts_at_once
}

eager one_wait() {
  co_await pause{};  // await one_wait
}

generator<int> counts(int n) {
  for (int i = 0; i < n; ++i) {
    co_yield i;  // await counts
  }
}

generator<std::string> words() {
  std::string word = "a";
  co_yield word;  // await words
  word += "b";
  co_yield word;  // await words
}

struct server {
  int port = 80;
  std::string name = "server";
  task<int> serve(int connection) {
    char data[64];
    use(data);
    int r = co_await pause{connection};  // await server::serve
    co_return r + port + use(data);
  }
  static task<int> stop(int why) {
    co_return co_await pause{why};  // await server::stop
  }
};

template <class T, std::size_t N>
task<int> array_of() {
  T items[N]{};
  use(&items);
  int r = co_await pause{};
  co_return r + use(&items);
}

template <class T>
task<int> value_of(T one) {
  T other = one;
  int r = co_await pause{};
  co_return r + use(&one) + use(&other);
}

template <class T>
generator<T> repeated(T one) {
  while (true) co_yield one;
}

template <std::size_t... Sizes>
task<int> several() {
  std::tuple<std::array<char, Sizes>...> arrays;
  use(&arrays);
  int r = co_await pause{};
  r += use(&arrays);
  r += co_await pause{r};
  co_return r;
}

}  // namespace corpus

#define CORPUS_ARRAYS(type)          \
  CORPUS_FRAME(array_of<type, 1>()); \
  CORPUS_FRAME(array_of<type, 2>()); \
  CORPUS_FRAME(array_of<type, 3>()); \
  CORPUS_FRAME(array_of<type, 17>());

int main() {
  using namespace corpus;
  const std::string text = "text";
  server one;
  CORPUS_FRAME(nothing());
  CORPUS_FRAME(one_await());
  CORPUS_FRAME(parameter(1));
  CORPUS_FRAME(by_value(text));
  CORPUS_FRAME(by_reference(text));
  CORPUS_FRAME(buffer());
  CORPUS_FRAME(two_scopes());
  CORPUS_FRAME(in_loop(3));
  CORPUS_FRAME(nested_loops(3));
  CORPUS_FRAME(branches(3));
  CORPUS_FRAME(switched(3));
  CORPUS_FRAME(catches());
  CORPUS_FRAME(child_of(3));
  CORPUS_FRAME(parent_of(3));
  CORPUS_FRAME(grandparent());
  CORPUS_FRAME(makes_text(3));
  CORPUS_FRAME(uses_text());
  CORPUS_FRAME(owns(std::make_unique<large>()));
  CORPUS_FRAME(shares(std::make_shared<large>()));
  CORPUS_FRAME(optional_value(3));
  CORPUS_FRAME(with_map());
  CORPUS_FRAME(with_aligned_16());
  CORPUS_FRAME(with_aligned_32());
  CORPUS_FRAME(with_doubles(3));
  CORPUS_FRAME(many_awaits(3));
  CORPUS_FRAME(late_variable(3));
  CORPUS_FRAME(early_buffer(3));
  CORPUS_FRAME(starts_at_once(3));
  CORPUS_FRAME(one_wait());
  CORPUS_FRAME(counts(3));
  CORPUS_FRAME(words());
  CORPUS_FRAME(one.serve(3));
  CORPUS_FRAME(server::stop(3));
  CORPUS_ARRAYS(char)
  CORPUS_ARRAYS(short)
  CORPUS_ARRAYS(int)
  CORPUS_ARRAYS(long)
  CORPUS_ARRAYS(double)
  CORPUS_ARRAYS(std::string)
  CORPUS_ARRAYS(large)
  CORPUS_ARRAYS(aligned_16)
  CORPUS_FRAME(value_of<char>('a'));
  CORPUS_FRAME(value_of<short>(1));
  CORPUS_FRAME(value_of<int>(1));
  CORPUS_FRAME(value_of<long>(1));
  CORPUS_FRAME(value_of<double>(1));
  CORPUS_FRAME(value_of<std::string>("a"));
  CORPUS_FRAME(value_of<large>(large{}));
  CORPUS_FRAME(repeated<char>('a'));
  CORPUS_FRAME(repeated<int>(1));
  CORPUS_FRAME(repeated<double>(1));
  CORPUS_FRAME(repeated<std::string>("a"));
  CORPUS_FRAME(several<1, 2, 3>());
  CORPUS_FRAME(several<7, 9>());
  CORPUS_FRAME(several<100, 1, 200>());
}
