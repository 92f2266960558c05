// Three stages with channels between them. A full channel throttles its senders, so memory stays bounded however fast
// the first stage is; closing it lets the next stage finish its work and then end.

#include <tare/tare.hpp>

#include <cstdint>
#include <cstdio>

namespace {

constexpr std::uint64_t last = 10'000;

tare::task<> produce(tare::channel<std::uint64_t>& out) {
  for (std::uint64_t n = 1; n <= last; ++n) {
    if (!co_await out.send(n)) co_return;  // the receiver has closed
  }
  out.close();
}

tare::task<> square(tare::channel<std::uint64_t>& in, tare::channel<std::uint64_t>& out, tare::latch& working) {
  while (auto n = co_await in.receive()) {
    if (!co_await out.send(*n * *n)) break;
  }
  working.count_down();
  if (working.is_open()) out.close();  // the last to end
}

tare::task<std::uint64_t> sum_of_squares() {
  tare::channel<std::uint64_t> numbers(16);
  tare::channel<std::uint64_t> squares(16);
  tare::latch working(2);
  std::uint64_t sum = 0;
  co_await tare::with_scope([&](tare::scope& s) -> tare::task<> {
    s.spawn(produce(numbers));
    s.spawn_on(1, square(numbers, squares, working));
    s.spawn_on(1, square(numbers, squares, working));
    while (auto n = co_await squares.receive()) sum += *n;
  });
  co_return sum;
}

}  // namespace

int main() {
  tare::runtime rt({.shards = 2});
  const std::uint64_t sum = rt.run(sum_of_squares());
  std::printf("%llu\n", static_cast<unsigned long long>(sum));
  return sum == last * (last + 1) * (2 * last + 1) / 6 ? 0 : 1;
}
