#include <tare/task.hpp>

tare::task<int> too_late(int number) {
  auto later = [number]() -> tare::task<int> { co_return number; }();
  co_return co_await std::move(later);
}
