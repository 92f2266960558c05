#include <tare/task.hpp>

#include <string>

tare::task<int> length_of(const std::string& text) { co_return static_cast<int>(text.size()); }

TARE_COROUTINE_WRAPPER tare::task<int> too_late() {
  const std::string local = "gone";
  return length_of(local);
}
