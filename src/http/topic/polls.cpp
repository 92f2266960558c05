// Requests that wait for the next event of a topic. A task that waits is asleep until its time is up; what ends the
// wait earlier wakes it. So an event that is published after the time is up, but before the task runs, still reaches
// it.

#include "http/exchange.hpp"
#include "http/server_core.hpp"
#include "http/topic/topic_core.hpp"
#include "sched/usage.hpp"
#include "timer/wheel.hpp"

#include <tare/detail/frame_memory.hpp>
#include <tare/detail/misuse.hpp>
#include <tare/http/topic.hpp>
#include <tare/runtime.hpp>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace tare::http {

namespace detail {

using tare::detail::from_link;
using tare::detail::link;
using tare::detail::no_link;
using tare::detail::to_link;
using tare::detail::wait_state;

namespace {

/// All topics of the shard.
constinit thread_local topic_core* first_of_shard = nullptr;

}  // namespace

void release_event(link record) noexcept {
  auto* const event = from_link<kept_event>(record);
  if (--event->references != 0) return;
  std::destroy_at(event);
  tare::detail::free_record(event);
}

topic_core::topic_core(topic_options options) noexcept
    : options_(options), home_(tare::detail::current_shard), next_of_shard_(first_of_shard) {
  if (next_of_shard_ != nullptr) next_of_shard_->previous_of_shard_ = this;
  first_of_shard = this;
}

topic_core::~topic_core() {
  (previous_of_shard_ != nullptr ? previous_of_shard_->next_of_shard_ : first_of_shard) = next_of_shard_;
  if (next_of_shard_ != nullptr) next_of_shard_->previous_of_shard_ = previous_of_shard_;
}

poll_request topic_core::begin_poll(std::string_view last_id, std::chrono::nanoseconds limit,
                                    const connection_group& group) const noexcept {
  const std::optional<std::uint32_t> after = last_id.empty() ? next_number() : number_after(last_id);
  poll_state state = group.draining() ? poll_state::is_ended : poll_state::waits;
  if (!after) state = poll_state::has_gap;
  return {.topic = to_link(this),
          .group = to_link(&group),
          .at = after.value_or(0),
          .state = state,
          .nanoseconds = std::max(limit.count(), std::chrono::nanoseconds::rep{0})};
}

void topic_core::find_for(poll_wait& wait) const noexcept {
  const std::size_t left = left_from(wait.at_);
  if (wait.state() == poll_state::has_gap || left == 0) return;
  if (left > kept_.size()) {
    wait.set_state(poll_state::has_gap);  // it has been dropped since `begin_poll`
    return;
  }
  give(wait, kept_[kept_.size() - left]);
}

void topic_core::give(poll_wait& to, const event_reference& event) noexcept {
  to.what_ = event.share();
  to.set_state(poll_state::has_event);
}

void topic_core::enter(poll_wait& waits) noexcept {
  waits.previous_ = no_link;
  waits.next_ = first_poll_;
  if (first_poll_ != no_link) from_link<poll_wait>(first_poll_)->previous_ = to_link(&waits);
  first_poll_ = to_link(&waits);
  ++polls_;
}

void topic_core::leave(poll_wait& waits) noexcept {
  if (waits.next_ != no_link) from_link<poll_wait>(waits.next_)->previous_ = waits.previous_;
  if (waits.previous_ != no_link) {
    from_link<poll_wait>(waits.previous_)->next_ = waits.next_;
  } else {
    first_poll_ = waits.next_;
  }
  waits.owner_ = no_link;
  --polls_;
}

void topic_core::end_poll(poll_wait& wait) noexcept {
  auto& task = *from_link<wait_state>(wait.owner_);
  leave(wait);
  if (task.asleep == 0) return;  // it is already queued to continue
  tare::detail::wheel::remove(task);
  tare::detail::current_shard->make_ready(task, tare::detail::wait_kind::ready);
}

void topic_core::give_to_polls(const event_reference& event) noexcept {
  while (first_poll_ != no_link) {
    auto& first = *from_link<poll_wait>(first_poll_);
    give(first, event);
    end_poll(first);
  }
}

void topic_core::end_polls(const connection_group& ended) noexcept {
  const link group = to_link(&ended);
  for (topic_core* made = first_of_shard; made != nullptr; made = made->next_of_shard_) {
    for (link current = made->first_poll_; current != no_link;) {
      auto& item = *from_link<poll_wait>(current);
      current = item.next_;
      if (item.what_ == group) made->end_poll(item);
    }
  }
}

bool poll_wait::take() noexcept {
  from_link<topic_core>(topic_)->find_for(*this);
  return state() != poll_state::waits;
}

bool poll_wait::begin(wait_state& task) noexcept {
  if (state() != poll_state::waits) {
    tare::detail::current_shard->make_ready(task, tare::detail::wait_kind::ready);
    return true;
  }
  const bool suspended = tare::detail::sleep_begin(task);
  if (task.asleep != 0) {
    owner_ = to_link(&task);
    from_link<topic_core>(topic_)->enter(*this);
  }
  return suspended;
}

void poll_wait::leave() noexcept {
  if (owner_ != no_link) from_link<topic_core>(topic_)->leave(*this);
}

}  // namespace detail

detail::poll_request topic::wait_for(request& request, std::string_view last_event_id,
                                     std::chrono::nanoseconds limit) noexcept {
  tare::detail::require_task("tare::http::topic::wait_for");
  const auto& asked = static_cast<const detail::exchange&>(request);
  if (!core_->is_at_home() || asked.server().home() != this_shard()) {
    tare::detail::misuse(
        "tare::http::topic::wait_for: the topic, the request and the task are not on one shard; make a topic on each");
  }
  const detail::poll_request begun = core_->begin_poll(last_event_id, limit, asked.group());
  request.discard();
  return begun;
}

namespace {

const detail::kept_event& checked(tare::detail::link event, const char* call) noexcept {
  if (event == tare::detail::no_link) {
    const std::string message =
        "tare::http::polled::" + std::string(call) + ": there is no event; check the object first";
    tare::detail::misuse(message.c_str());
  }
  return *tare::detail::from_link<detail::kept_event>(event);
}

}  // namespace

std::string_view polled::data() const noexcept { return checked(event_, "data").data(); }
std::string_view polled::name() const noexcept { return checked(event_, "name").name; }
std::string_view polled::id() const noexcept { return checked(event_, "id").id; }

}  // namespace tare::http
