// Coroutines with hand-written expectations. A line with an await ends with the names of the variables that are used
// after it and of those that are not: "// live: a b dead: c". What is destroyed later is used later.

#include "recorded.hpp"

#include <memory>
#include <string>
#include <vector>

namespace corpus {

struct block {
  char data[96];
  int tail;
};

[[gnu::noinline]] int fill(block& into) { return use(&into); }
[[gnu::noinline]] int read(const block& from) { return use(&from); }
[[gnu::noinline]] int produce(int n) {
  asm volatile("" : "+r"(n));
  return n;
}

task<int> value_used_later(int a) {
  int b = produce(a);
  int r = co_await pause{1};  // live: b dead:
  co_return r + b;
}

task<int> value_not_used_later(int a) {
  int b = produce(a);
  int c = b * 2;
  int r = co_await pause{c};  // live: dead: b
  co_return r;
}

task<int> buffer_used_later() {
  block one;
  fill(one);
  int r = co_await pause{1};  // live: one dead:
  co_return r + read(one);
}

task<int> buffer_ended_before() {
  int sum = 0;
  {
    block one;
    fill(one);
    sum = read(one);
  }
  int r = co_await pause{1};  // live: sum dead: one
  co_return r + sum;
}

task<int> buffer_begins_later() {
  int r = co_await pause{1};  // live: dead: one
  block one;
  fill(one);
  r += co_await pause{2};  // live: one r dead:
  co_return r + read(one);
}

task<int> two_after_each_other() {
  int r = 0;
  {
    block first;
    fill(first);
    r += co_await pause{1};  // live: first r dead: second
    r += read(first);
  }
  {
    block second;
    fill(second);
    r += co_await pause{2};  // live: second r dead: first
    r += read(second);
  }
  co_return r;
}

task<int> only_on_one_way(int n) {
  block one;
  fill(one);
  int r = co_await pause{n};  // live: one dead:
  if (r > 3) r += read(one);
  r += co_await pause{r};  // live: r dead:
  co_return r;
}

task<int> used_by_the_next_round(int n) {
  int sum = produce(n);
  for (int i = 0; i < n; ++i) {
    sum += co_await pause{i};  // live: sum i n dead:
  }
  co_return sum;
}

task<int> text_used_later(int n) {
  std::string text(static_cast<std::size_t>(n), 'x');
  int r = co_await pause{n};  // live: text dead:
  co_return r + static_cast<int>(text.size());
}

task<int> text_only_destroyed(int n) {
  std::string text(static_cast<std::size_t>(n), 'x');
  use(&text);
  int r = co_await pause{n};  // live: text dead:
  co_return r;
}

task<int> text_ended_before(int n) {
  int size = 0;
  {
    std::string text(static_cast<std::size_t>(n), 'x');
    size = use(&text);
  }
  int r = co_await pause{n};  // live: size dead: text
  co_return r + size;
}

task<int> vector_grows(int n) {
  std::vector<int> all;
  for (int i = 0; i < n; ++i) {
    all.push_back(co_await pause{i});  // live: all i n dead:
  }
  co_return static_cast<int>(all.size());
}

task<int> owned_by_pointer() {
  auto box = std::make_unique<block>();
  fill(*box);
  int r = co_await pause{1};  // live: box dead:
  co_return r + read(*box);
}

task<int> pointer_into_frame() {
  block one;
  block* where = &one;
  use(&where);
  fill(one);
  int r = co_await pause{1};  // live: one where dead:
  co_return r + read(*where);
}

task<int> reference_kept(int n) {
  block one;
  fill(one);
  const int& tail = one.tail;
  int r = co_await pause{n};  // live: one dead:
  co_return r + tail;
}

task<int> caught_later(int n) {
  int before = produce(n);
  int r = 0;
  try {
    r = co_await pause{n};  // live: before dead:
    if (produce(r) > 3) throw r;
  } catch (int e) {
    r = before + e;
  }
  r += co_await pause{1};  // live: r dead: before
  co_return r;
}

task<int> many_values(int n) {
  int a = produce(n);
  int b = produce(a);
  int c = produce(b);
  int d = produce(c);
  a += co_await pause{1};  // live: a b c d dead:
  a += b;
  a += co_await pause{2};  // live: a c d dead: b
  a += c;
  a += co_await pause{3};  // live: a d dead: b c
  a += d;
  a += co_await pause{4};  // live: a dead: b c d
  co_return a;
}

task<int> overwritten(int n) {
  int a = produce(n);
  use(&a);
  int r = co_await pause{a};  // live: dead:
  a = produce(r);
  r += co_await pause{a};  // live: a r dead:
  co_return r + a;
}

task<int> child_takes(block one, int n) {
  int r = co_await pause{n};  // live: one dead:
  co_return r + read(one);
}

task<int> parent_gives(int n) {
  block mine;
  fill(mine);
  int r = co_await child_takes(mine, n);  // live: dead:
  r += co_await pause{r};                 // live: mine r dead:
  co_return r + read(mine);
}

task<int> parameter_dropped(std::string text, int n) {
  const int size = static_cast<int>(text.size());
  int r = co_await pause{size};  // live: text n dead:
  r += n;
  r += co_await pause{r};  // live: text r dead: n
  co_return r;
}

task<int> switch_by_case(int which) {
  block one;
  fill(one);
  int r = 0;
  switch (which) {
    case 0:
      r = co_await pause{0};  // live: one dead:
      r += read(one);
      break;
    case 1:
      r = co_await pause{1};  // live: dead:
      break;
    default:
      r = co_await pause{2};   // live: dead:
      r += co_await pause{3};  // live: r dead:
      break;
  }
  co_return r;
}

task<int> nested_scopes(int n) {
  int total = produce(n);
  {
    block outer;
    fill(outer);
    total += co_await pause{1};  // live: total outer dead: inner
    {
      block inner;
      fill(inner);
      total += co_await pause{2};  // live: total outer inner dead:
      total += read(inner);
    }
    total += co_await pause{3};  // live: total outer dead: inner
    total += read(outer);
  }
  total += co_await pause{4};  // live: total dead: outer inner
  co_return total;
}

task<int> doubles(double x) {
  double half = x / 2;
  double sum = co_await pause{1};  // live: half x dead:
  sum += half;
  sum += co_await pause{2};  // live: sum x dead: half
  co_return static_cast<int>(sum + x);
}

task<int> array_by_index(int n) {
  int numbers[16];
  use(numbers);
  int r = co_await pause{n};  // live: numbers n dead:
  co_return r + numbers[n & 15];
}

task<int> written_by_index(int n) {
  int numbers[16];
  use(numbers);
  for (int i = 0; i < n; ++i) {
    numbers[i & 15] = co_await pause{i};  // live: numbers i n dead:
  }
  co_return use(numbers);
}

task<int> table_by_index(int n) {
  int table[8] = {};
  for (int i = 0; i < n; ++i) table[(i * i) & 7] = produce(i);
  int r = co_await pause{n};  // live: table n dead:
  r += table[n & 7];
  r += co_await pause{r};  // live: r dead: table n
  co_return r;
}

task<int> long_loop(int n) {
  std::string line;
  int sum = 0;
  while (sum < n) {
    block one;
    fill(one);
    sum += co_await pause{sum};  // live: line sum one n dead:
    sum += read(one);
    line += 'x';
    sum += co_await pause{sum};  // live: line sum n dead:
  }
  co_return sum + static_cast<int>(line.size());
}

generator<int> squares(int n) {
  int last = produce(n);
  for (int i = 0; i < n; ++i) {
    co_yield i* i;  // live: i n last dead:
  }
  co_yield last;  // live: dead: last
}

eager at_once(int n) {
  block one;
  fill(one);
  co_await pause{n};  // live: one n dead:
  use(&one);
  co_await pause{n};  // live: n dead:
  use(&n);
}

task<int> result_of_child(int n) {
  std::string name(static_cast<std::size_t>(n), 'a');
  const int first = co_await value_used_later(n);       // live: name n dead:
  const int second = co_await value_used_later(n + 1);  // live: name first dead:
  co_return first + second + static_cast<int>(name.size());
}

task<int> early_return(int n) {
  block one;
  fill(one);
  if (n > 5) {
    int r = co_await pause{n};  // live: one dead:
    co_return r + read(one);
  }
  int r = co_await pause{1};  // live: dead:
  r += co_await pause{2};     // live: r dead:
  co_return r;
}

task<int> passed_on(int n) {
  block one;
  fill(one);
  int r = co_await pause{read(one)};  // live: n dead:
  r += co_await pause{n};             // live: r n dead:
  r += co_await pause{n};             // live: r dead: n
  co_return r;
}

task<int> alternating(int n) {
  int even = produce(n);
  int odd = produce(n + 1);
  while (produce(n) > 0) {
    even += co_await pause{1};  // live: even odd n dead:
    odd += co_await pause{2};   // live: even odd n dead:
  }
  std::string text(3, 'x');
  even += co_await pause{3};  // live: even odd text dead: n
  co_return even + odd + static_cast<int>(text.size());
}

task<int> shared(std::shared_ptr<block> one) {
  auto two = one;
  use(&two);
  int r = co_await pause{1};  // live: one two dead:
  co_return r;
}

}  // namespace corpus

int main() {
  using namespace corpus;
  CORPUS_FRAME(value_used_later(1));
  CORPUS_FRAME(value_not_used_later(1));
  CORPUS_FRAME(buffer_used_later());
  CORPUS_FRAME(buffer_ended_before());
  CORPUS_FRAME(buffer_begins_later());
  CORPUS_FRAME(two_after_each_other());
  CORPUS_FRAME(only_on_one_way(1));
  CORPUS_FRAME(used_by_the_next_round(1));
  CORPUS_FRAME(text_used_later(1));
  CORPUS_FRAME(text_only_destroyed(1));
  CORPUS_FRAME(text_ended_before(1));
  CORPUS_FRAME(vector_grows(1));
  CORPUS_FRAME(owned_by_pointer());
  CORPUS_FRAME(pointer_into_frame());
  CORPUS_FRAME(reference_kept(1));
  CORPUS_FRAME(caught_later(1));
  CORPUS_FRAME(many_values(1));
  CORPUS_FRAME(overwritten(1));
  CORPUS_FRAME(child_takes(block{}, 1));
  CORPUS_FRAME(parent_gives(1));
  CORPUS_FRAME(parameter_dropped("a", 1));
  CORPUS_FRAME(switch_by_case(1));
  CORPUS_FRAME(nested_scopes(1));
  CORPUS_FRAME(doubles(1));
  CORPUS_FRAME(array_by_index(1));
  CORPUS_FRAME(written_by_index(1));
  CORPUS_FRAME(table_by_index(1));
  CORPUS_FRAME(long_loop(1));
  CORPUS_FRAME(squares(1));
  CORPUS_FRAME(at_once(1));
  CORPUS_FRAME(result_of_child(1));
  CORPUS_FRAME(early_return(1));
  CORPUS_FRAME(passed_on(1));
  CORPUS_FRAME(alternating(1));
  CORPUS_FRAME(shared(nullptr));
}
