#include "http/request_guard.hpp"

#include <utility>

namespace tare::http::detail {

using tare::detail::branch;
using tare::detail::current_shard;
using tare::detail::from_link;
using tare::detail::no_link;
using tare::detail::parent_kind;
using tare::detail::to_link;
using tare::detail::wait_kind;
using tare::detail::wait_state;

bool request_guard::start(wait_state& waiting, task<> body) noexcept {
  child = body.release();
  error_ = nullptr;
  waiting_ = no_link;
  wait_state& handler = *from_link<wait_state>(child);
  handler.set_parent(parent_kind::branch, to_link(static_cast<branch*>(this)));
  if (--current_shard->budget < 0) {
    current_shard->begin_root(handler);
  } else {
    current_shard->count_root();
    tare::detail::handle_of(handler).resume();
    if (!running()) return false;
  }
  // Like a task that awaits a shielded child, which no cancellation passes.
  waiting.prev = child;
  waiting.set_kind(wait_kind::shielded_child);
  waiting_ = to_link(&waiting);
  return true;
}

void request_guard::body_ended(branch& self, std::exception_ptr error) noexcept {
  auto& guard = static_cast<request_guard&>(self);
  guard.child = no_link;
  guard.error_ = std::move(error);
  if (guard.waiting_ != no_link) current_shard->make_ready(*from_link<wait_state>(guard.waiting_), wait_kind::ready);
}

void request_guard::cancel() noexcept {
  if (running()) tare::detail::cancel(*from_link<wait_state>(child));
}

}  // namespace tare::http::detail
