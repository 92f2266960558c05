// Steps of tasks in simulations.

#include "sched/root.hpp"
#include "sched/shard.hpp"

#include <utility>

namespace tare::detail {

void shard::resume_observed(wait_state& task) noexcept {
  observed_ = &root_of(task);
  handle_of(task).resume();
  wait_state* const suspended = std::exchange(observed_, nullptr);
  if (suspended != nullptr) observer->suspended(*suspended);
}

}  // namespace tare::detail
