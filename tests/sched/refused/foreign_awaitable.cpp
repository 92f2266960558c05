#include <tare/task.hpp>

#include <coroutine>

struct of_another_library : std::suspend_never {
  static int await_resume() { return 1; }
};

tare::task<int> waits() { co_return co_await of_another_library(); }
