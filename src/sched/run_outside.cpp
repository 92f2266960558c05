#include <tare/detail/run_outside.hpp>

#include <tare/detail/shard_state.hpp>
#include <tare/runtime.hpp>

#include <cstdio>
#include <cstdlib>
#include <utility>

namespace tare::detail {

void run_outside(const char* call, const char* instead, task<> body) {
  if (current_shard != nullptr) {
    std::fprintf(stderr, "tare: %s called in a task: it would block all tasks of the shard: use co_await %s\n", call,
                 instead);
    std::abort();
  }
  runtime own;
  own.run(std::move(body));
}

}  // namespace tare::detail
