#include "sched/driver.hpp"
#include "sched/shard.hpp"
#include "sched/visit.hpp"
#include "timer/wheel.hpp"

#include <tare/detail/wait_node.hpp>

namespace tare::detail {

void cancel_children(waiting_parent& parent) noexcept {
  if (parent.cancelling) return;
  parent.cancelling = true;
  shard_state& here = *current_shard;
  parent.next = here.cancelling;
  here.cancelling = to_link(&parent);
  if (here.cancelling_already) return;
  here.cancelling_already = true;
  while (here.cancelling != no_link) {
    auto& next = *from_link<waiting_parent>(here.cancelling);
    here.cancelling = next.next;
    next.cancel_children(next);
  }
  here.cancelling_already = false;
}

/// Marks the chain of frames from `task` down to its leaf, and ends the leaf's wait.
void cancel(wait_state& task) noexcept {
  wait_state* at = &task;
  for (;;) {
    if (at->cancelled) return;  // and so are all frames below it
    at->cancelled = 1;
    if (at->asleep) {
      wheel::remove(*at);
      current_shard->make_ready(*at, wait_kind::ready_cancelled);
      return;
    }
    switch (at->kind()) {
      case wait_kind::child:
        at = from_link<wait_state>(at->prev);
        continue;
      case wait_kind::node: {
        wait_node& node = *from_link<wait_node>(at->prev);
        node.give_up(node);
        return;
      }
      case wait_kind::io:
        current_shard->io->give_up(*at);
        return;
      case wait_kind::away:
        at = static_cast<visit*>(at)->cancel_or_send();
        if (at == nullptr) return;
        continue;
      default:
        return;  // it is running or about to run: its next suspension throws
    }
  }
}

}  // namespace tare::detail
