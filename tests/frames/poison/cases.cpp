// Coroutines that were once described wrongly: seed 0 of the poison test.

#include "harness.hpp"

namespace poison {

/// clang -O1: the number of the second await is chosen before the jump to where the coroutine continues.
task two_awaits(int acc, std::array<int, 9> kept) {
  int one = mix(acc, 307);
  scramble(&one, 1, 1);
  acc = mix(acc, one);
  co_await step{};
  co_await step{};
  acc = mix(acc, sum(kept.data(), kept.size()));
  co_return acc;
}

/// An address is copied to another variable only after the await.
task range_for(std::array<int, 9> kept) {
  co_await step{};
  int acc = 0;
  for (const int one : kept) acc = mix(acc, one);
  co_return acc;
}

task reference(std::array<int, 9> kept) {
  co_await step{};
  auto& same = kept;
  co_return same[2];
}

/// A pointer to one of two objects.
task one_of_two(std::array<int, 9> kept, std::array<int, 9> other) {
  co_await step{};
  std::array<int, 9>* which = opaque(1) != 0 ? &kept : &other;
  int acc = 0;
  for (int i = 0; i < opaque(3); ++i) {
    acc = mix(acc, (*which)[static_cast<std::size_t>(opaque(i))]);
    co_await step{};
    if (opaque(i) == 1) which = &other;
  }
  co_return acc;
}

/// g++ -O0: variables in and after a try block.
task in_try(int n) {
  co_await step{};
  auto kept = std::make_unique<int>(n);
  const std::string text(40, 'k');
  try {
    co_await step{};
  } catch (int) {
  }
  {
    try {
      co_await fail{n + 1};
    } catch (int problem) {
      n = mix(n, problem);
    }
    co_await step{};
  }
  co_return mix(mix(n, *kept), sum(text));
}

/// g++ -O0 and -Os: arrays that are cleared and copied by "rep stos" and "rep movs", whose operands are implicit.
task cleared(std::size_t which, int n) {
  int numbers[96] = {};
  co_await step{};
  co_return mix(numbers[which % 96], n);
}

struct wide {
  int numbers[96];
};

task copied(const wide& from, std::size_t which) {
  wide mine = from;
  co_await step{};
  co_return mine.numbers[which % 96];
}

/// The inlined ramp of a lazy coroutine.
template <class... T>
task all_of(std::shared_ptr<int> event, std::tuple<T...> all) {
  for (std::size_t i = 0; i < sizeof...(T); ++i) {
    int* each[] = {std::get<0>(all).get(), std::get<1>(all).get()};
    co_await drain{each[i], 1};
  }
  if (!event) throw 3;
  co_await drain{event.get(), 1};
  co_return mix(*std::get<0>(all), *event);
}

template <class... T>
task start(std::shared_ptr<int> event, T... all) {
  if (!event) throw 4;
  return all_of(std::move(event), std::make_tuple(std::move(all)...));
}

std::vector<entry> entries() {
  return {
      {"two_awaits", [] { return two_awaits(1, {1}); }},
      {"range_for", [] { return range_for({1, 2}); }},
      {"reference", [] { return reference({1, 2, 3}); }},
      {"one_of_two", [] { return one_of_two({1, 2, 3}, {4, 5, 6}); }},
      {"in_try", [] { return in_try(3); }},
      {"cleared", [] { return cleared(5, 3); }},
      {"copied",
       [] {
         static constexpr wide from{{1, 2, 3}};
         return copied(from, 3);
       }},
      {"start", [] { return start(std::make_shared<int>(1), std::make_unique<int>(2), std::make_unique<int>(3)); }},
  };
}

}  // namespace poison
