#include "sched/visit.hpp"

#include "sched/shard.hpp"

#include <tare/detail/frame_memory.hpp>
#include <tare/detail/scope_core.hpp>

#include <memory>
#include <mutex>
#include <new>
#include <utility>

namespace tare::detail {

visit::visit(wait_state& root) noexcept : home_(&shard::current()), location_(home_) {
  ended = &visit::task_ended;
  child = to_link(&root);
  set_kind(wait_kind::away);
  cancelled = root.cancelled;
  cancel_mail_.set_kind(wait_kind::mail_cancel);
  cancel_mail_.parent = to_link(this);
  ended_mail_.set_kind(wait_kind::mail_ended);
  ended_mail_.parent = to_link(this);
  root.set_parent(parent_kind::branch, to_link(static_cast<branch*>(this)));
}

visit& visit::begin_without_parent(wait_state& root) {
  static_assert(sizeof(visit) <= 128, "a larger record would be needed");
  return *::new (allocate_record(sizeof(visit))) visit(root);
}

visit& visit::begin(wait_state& root) {
  const link home_parent = root.parent;
  const parent_kind home_kind = root.kind_of_parent();
  visit& begun = begin_without_parent(root);
  const link stand_in = to_link(static_cast<wait_state*>(&begun));
  begun.set_parent(home_kind, home_parent);
  begun.values = value_ref::share(values_around(begun));
  if (home_kind == parent_kind::scope) {
    scope_core::replace(home_parent, to_link(&root), stand_in);
  } else {
    auto& waiting = *from_link<branch>(home_parent);
    begun.result = waiting.result;
    waiting.child = stand_in;
  }
  return begun;
}

void visit::abandon() noexcept {
  from_link<wait_state>(child)->set_parent(parent_kind::frame, no_link);
  drop();
}

visit* visit::of(const wait_state& root) noexcept {
  if (root.kind_of_parent() != parent_kind::branch) return nullptr;
  auto* waiting = from_link<branch>(root.parent);
  return waiting->ended == &visit::task_ended ? static_cast<visit*>(waiting) : nullptr;
}

void visit::move(wait_state& mail, shard& target) noexcept {
  const std::scoped_lock guard(lock_);
  location_ = &target;
  // Under the lock, so that code that sees the task at the target finds it at least in the mailbox.
  target.post(mail);
}

wait_state* visit::cancel_or_send() noexcept {
  const std::scoped_lock guard(lock_);
  if (location_ == nullptr) return nullptr;
  if (location_ == current_shard) return from_link<wait_state>(child);
  // Sent at most once: the stand-in stays marked as cancelled.
  references_.fetch_add(1, std::memory_order_relaxed);
  location_->post(cancel_mail_);
  return nullptr;
}

void visit::receive(wait_state& mail) noexcept {
  visit& about = *from_link<visit>(mail.parent);
  if (mail.kind() == wait_kind::mail_ended) {
    about.finish();
    return;
  }
  {
    const std::scoped_lock guard(about.lock_);
    if (about.location_ != nullptr && about.location_ != current_shard) {
      about.location_->post(mail);  // it has moved on
      return;
    }
  }
  // It cannot move or end now, because only this thread can do that.
  if (about.location_ != nullptr) cancel(*from_link<wait_state>(about.child));
  about.drop();
}

void visit::task_ended(branch& self, std::exception_ptr error) noexcept {
  auto& ending = static_cast<visit&>(self);
  ending.error_ = std::move(error);
  {
    const std::scoped_lock guard(ending.lock_);
    ending.location_ = nullptr;
  }
  if (ending.home_ == current_shard) {
    ending.finish();
  } else {
    ending.home_->post(ending.ended_mail_);
  }
}

void visit::finish() noexcept {
  shard::tell_parent(parent, kind_of_parent(), to_link(static_cast<wait_state*>(this)), std::exchange(error_, nullptr));
  drop();
}

void visit::drop() noexcept {
  if (references_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  std::destroy_at(this);
  free_record(this);
}

}  // namespace tare::detail
