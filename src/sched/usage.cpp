#include "sched/usage.hpp"

#include "sched/shard.hpp"

#include <cstdio>
#include <cstdlib>

namespace tare::detail {

void called_outside_of_a_task(const char* call, const char* instead) noexcept {
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-vararg)
  std::fprintf(stderr, "%s: called outside a task: call it from a task, %s\n", call, instead);
  std::abort();
}

shard& shard_for(const char* call, const char* instead) {
  if (current_shard == nullptr) [[unlikely]]
    called_outside_of_a_task(call, instead);
  return shard::current();
}

void called_on_another_shard(const char* call) noexcept {
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-vararg)
  std::fprintf(stderr, "%s: called on a shard other than the object's: call it from a task there (tare::resume_on)\n",
               call);
  std::abort();
}

}  // namespace tare::detail
