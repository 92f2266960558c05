#include <tare/detail/task_values.hpp>

#include "sched/ancestors.hpp"

#include <tare/task_local.hpp>

namespace tare::detail {

namespace {

/// Its address marks the groups that have values.
void give_up_values(wait_node& self) noexcept { cancel_children(static_cast<waiting_parent&>(self)); }

}  // namespace

value_ref::~value_ref() {
  // Iteratively, because values can be nested to any depth.
  value_node* last = node_;
  while (last != nullptr && last->references.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    value_node* const outer = last->outer.release();
    last->destroy(last);
    last = outer;
  }
}

value_group::value_group(value_ref seen) noexcept : join_group(group_policy::nothing_decides), values(std::move(seen)) {
  give_up = &give_up_values;
}

const value_group* value_group::of(const join_group& any) noexcept {
  return any.give_up == &give_up_values ? static_cast<const value_group*>(&any) : nullptr;
}

const void* find_value(const value_node* innermost, const void* key) noexcept {
  for (const value_node* at = innermost; at != nullptr; at = at->outer.get()) {
    if (at->key == key) return at->value;
  }
  return nullptr;
}

value_node* values_around(const wait_state& task) noexcept {
  for (const wait_state* at = &task;;) {
    const ancestor above = ancestor_of(*at);
    if (above.group != nullptr) {
      if (const value_group* const group = value_group::of(*above.group)) return group->values.get();
    }
    if (above.away != nullptr) return above.away->values.get();
    if (above.task == no_link) return nullptr;
    at = from_link<const wait_state>(above.task);
  }
}

task_values values_query_awaiter::await_resume() noexcept { return task_values(std::move(found_)); }

}  // namespace tare::detail
