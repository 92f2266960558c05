#include <tare/detail/join_group.hpp>

namespace tare::detail {

join_group::join_group(group_policy policy) noexcept : policy_(policy) {
  give_up = [](wait_node& self) noexcept { detail::cancel_children(static_cast<waiting_parent&>(self)); };
  cancel_children = [](waiting_parent& self) noexcept {
    for (const group_member& member : static_cast<join_group&>(self).members_) {
      if (member.child != no_link) cancel(*from_link<wait_state>(member.child));
    }
  };
}

void join_group::start(wait_state& waiting, std::span<group_member> members) noexcept {
  members_ = members;
  running_ = members.size();
  begin(waiting);
  for (group_member& member : members_) {
    member.group = this;
    member.ended = &join_group::member_ended;
    wait_state& child = *from_link<wait_state>(member.child);
    child.set_parent(parent_kind::branch, to_link(&member));
    child.cancelled = waiting.cancelled;
    current_shard->begin_root(child);
  }
}

void join_group::member_ended(branch& self, std::exception_ptr error) noexcept {
  auto& member = static_cast<group_member&>(self);
  join_group& group = *member.group;
  member.child = no_link;
  member.error = std::move(error);
  const bool decides = group.policy_ == group_policy::first_end_decides ||
                       (group.policy_ == group_policy::first_error_decides && member.error);
  if (decides && group.decisive_ == nullptr) {
    group.decisive_ = &member;
    detail::cancel_children(group);
  }
  // Even if the waiting task was cancelled, because what its children delivered before that must not be lost.
  if (--group.running_ == 0) group.wake_here(wait_kind::ready);
}

}  // namespace tare::detail
