#include "http/request_guard.hpp"

namespace tare::http::detail {

using tare::detail::branch;
using tare::detail::from_link;
using tare::detail::no_link;
using tare::detail::parent_kind;
using tare::detail::to_link;
using tare::detail::wait_kind;
using tare::detail::wait_node;
using tare::detail::wait_state;
using tare::detail::waiting_parent;

request_guard::request_guard() noexcept {
  give_up = [](wait_node& self) noexcept { tare::detail::cancel_children(static_cast<waiting_parent&>(self)); };
  cancel_children = [](waiting_parent& self) noexcept {
    auto& guard = static_cast<request_guard&>(self);
    if (guard.body_.child != no_link) tare::detail::cancel(*from_link<wait_state>(guard.body_.child));
    guard.stop_watching();
  };
  body_.guard = watcher_.guard = this;
  body_.ended = watcher_.ended = &request_guard::member_ended;
}

bool request_guard::start(wait_state& waiting, task<> body) noexcept {
  body_.child = body.release();
  running_ = 1;
  begin(waiting);
  wait_state& child = *from_link<wait_state>(body_.child);
  child.set_parent(parent_kind::branch, to_link(static_cast<branch*>(&body_)));
  child.cancelled = waiting.cancelled;
  if (child.cancelled || --tare::detail::current_shard->budget < 0) {
    tare::detail::current_shard->begin_root(child);
    return true;
  }
  tare::detail::current_shard->count_root();
  starting_ = true;
  tare::detail::handle_of(child).resume();
  starting_ = false;
  if (running_ != 0) return true;
  end();
  return false;
}

void request_guard::cancel() noexcept {
  if (running()) tare::detail::cancel_children(*this);
}

void request_guard::watch(task<bool> watcher) noexcept {
  if (!running() || watched_) return;
  watched_ = true;
  ++running_;
  watcher_.child = watcher.release();
  watcher_.result = &left_;
  wait_state& child = *from_link<wait_state>(watcher_.child);
  child.set_parent(parent_kind::branch, to_link(static_cast<branch*>(&watcher_)));
  tare::detail::current_shard->begin_root(child);
}

void request_guard::stop_watching() noexcept {
  watched_ = true;
  if (watcher_.child != no_link) tare::detail::cancel(*from_link<wait_state>(watcher_.child));
}

void request_guard::member_ended(branch& self, std::exception_ptr error) noexcept {
  auto& ended = static_cast<member&>(self);
  request_guard& guard = *ended.guard;
  ended.child = no_link;
  if (&ended == &guard.body_) {
    ended.error = std::move(error);
    guard.stop_watching();
  } else if (guard.left_) {
    guard.cancel();
  }
  if (--guard.running_ == 0 && !guard.starting_) guard.wake_here(wait_kind::ready);
}

}  // namespace tare::http::detail
