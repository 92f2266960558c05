#include <tare/task.hpp>

#include <string>

tare::task<int> length_of(const std::string& text) { co_return static_cast<int>(text.size()); }

tare::task<int> too_late() {
  auto later = length_of(std::string("gone"));
  co_return co_await std::move(later);
}
