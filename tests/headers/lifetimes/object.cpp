#include <tare/task.hpp>

struct greeting {
  int words = 2;
  tare::task<int> count() { co_return words; }
};

tare::task<int> too_late() {
  auto later = greeting{}.count();
  co_return co_await std::move(later);
}
