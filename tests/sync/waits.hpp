// Each way to wait for a primitive, and what ends the wait: for tests of what else may happen at that time.

#pragma once

#include <tare/task.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace tare::test {

/// A primitive for which one task is going to wait.
struct awaited {
  std::function<task<>()> wait;
  std::function<bool()> end;  ///< false if it had no effect: call it again when the task waits
  std::function<void()> destroy;
};

/// Who may call `awaited::end`. Each may do what those before it may.
enum class ended_by : std::uint8_t {
  own_shard,
  any_thread,
  any_thread_destroying,  ///< and the task that has waited may call `destroy` before `end` returns
};

struct wait_kind {
  std::string name;
  ended_by by;
  std::string abort_message;  ///< if it is destroyed while a task waits
  std::function<awaited()> make;
};

/// Those whose wait may be ended by this.
[[nodiscard]] std::vector<wait_kind> wait_kinds(ended_by by = ended_by::own_shard);

}  // namespace tare::test
