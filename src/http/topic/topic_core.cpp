#include "http/topic/topic_core.hpp"

#include "http/events/encoding.hpp"
#include "http/websocket/frame.hpp"
#include "sched/usage.hpp"

#include <tare/detail/frame_memory.hpp>
#include <tare/detail/misuse.hpp>
#include <tare/memory_budget.hpp>
#include <tare/runtime.hpp>

#include <algorithm>
#include <memory>
#include <new>
#include <optional>
#include <utility>

namespace tare::http {

namespace detail {

using tare::detail::from_link;
using tare::detail::link;
using tare::detail::no_link;
using tare::detail::to_link;

// --- what it keeps --------------------------------------------------------------------------------------------------

published_text topic_core::admit(std::string text) {
  memory_share share;
  if (memory().limit() != SIZE_MAX) {
    share = memory().try_admit(text.capacity() + sizeof(published));
    if (!share) return nullptr;
    share.keep_from_reserve();
  }
  return std::make_shared<const published>(published{.text = std::move(text), .share = std::move(share)});
}

bool topic_core::encode(kept_event& kept, lasting::encoding as) {
  std::string text;
  append_event(text, event{.data = kept.data(), .name = kept.name, .id = kept.id, .retry = kept.retry});
  if (as == lasting::encoding::chunk) make_chunk(text, 0);
  published_text& known = kept.texts[static_cast<std::size_t>(as)];
  known = admit(std::move(text));
  return known != nullptr;
}

published_text topic_core::encoded(kept_event& event, lasting& to) {
  const lasting::encoding as = to.encoding_of();
  if (as == lasting::encoding::masked) {
    std::string text;
    const std::string_view smaller = to.compressed(opcode::text, event.data());
    to.append_frame(text, opcode::text, smaller.empty() ? event.data() : smaller, !smaller.empty());
    return admit(std::move(text));
  }
  published_text& known = event.texts[static_cast<std::size_t>(as)];
  if (known != nullptr) return known;
  if (as == lasting::encoding::compressed) return known = compressed(event, to);
  if (encode(event, as)) kept_bytes_ += known->text.size();
  return known;
}

published_text topic_core::compressed(const kept_event& event, lasting& to) {
  const published_text& whole = event.texts[static_cast<std::size_t>(lasting::encoding::frame)];
  const std::string_view smaller = to.compressed(opcode::text, event.data());
  if (smaller.empty()) return whole;
  std::string text;
  to.append_frame(text, opcode::text, smaller, true);
  published_text made = admit(std::move(text));
  if (made == nullptr) return whole;
  kept_bytes_ += made->text.size();
  return made;
}

event_reference topic_core::make_entry(const event& sent) {
  const frame_head head(opcode::text, sent.data.size());
  std::string frame(reinterpret_cast<const char*>(head.bytes().data()), head.bytes().size());
  frame.append(sent.data);
  published_text text = admit(std::move(frame));
  if (text == nullptr) return {};
  event_reference made = event_reference::make();
  made->texts[static_cast<std::size_t>(lasting::encoding::frame)] = std::move(text);
  made->id = sent.id;
  made->name = sent.name;
  made->retry = sent.retry;
  made->data_bytes = sent.data.size();
  // Before anything is sent, so that no subscriber loses its connection because there is no memory for its encoding.
  for (const auto as : {lasting::encoding::plain, lasting::encoding::chunk}) {
    if (subscribers_by_encoding_[static_cast<std::size_t>(as)] != 0 && !encode(*made, as)) return {};
  }
  return made;
}

result<void> topic_core::publish(const event& sent) {
  if (!is_sendable(sent)) return std::unexpected(std::make_error_code(std::errc::invalid_argument));
  try {
    event_reference made = make_entry(sent);
    if (!made) {
      relieve();
      made = make_entry(sent);
      if (!made) return std::unexpected(std::make_error_code(std::errc::not_enough_memory));
    }
    std::string id(sent.id);
    const std::size_t bytes = made->bytes();
    kept_.push_back(std::move(made));
    kept_bytes_ += bytes;
    last_id_.swap(id);
  } catch (const std::bad_alloc&) {
    return std::unexpected(std::make_error_code(std::errc::not_enough_memory));
  }
  give_to_polls(kept_.back());
  for (link current = first_subscriber_; current != no_link;) {
    subscription& each = *from_link<subscription>(current);
    current = each.next_;
    if (each.is_behind_ == 0) deliver(each, false);
  }
  trim();
  return {};
}

void topic_core::drop_oldest() noexcept {
  kept_bytes_ -= std::min(kept_bytes_, kept_.front()->bytes());
  kept_.pop_front();
  first_ = (first_ + 1) & number_mask;
}

void topic_core::trim() noexcept {
  // If only the latest matters, there is no backlog.
  const bool only_latest = options_.slow == slow_subscriber::latest_only;
  const std::size_t backlog = behind_ == 0 || only_latest ? 0 : options_.max_backlog_bytes;
  const std::size_t limit = std::max(options_.history_bytes, backlog);
  const std::size_t least = only_latest && behind_ != 0 ? 1 : 0;
  while (kept_.size() > least && kept_bytes_ > limit) drop_oldest();
}

// The budget is exhausted: half of what is kept, and those who hold what is no longer kept.
void topic_core::relieve() noexcept {
  for (std::size_t left = kept_.size() / 2; left != 0; --left) drop_oldest();
  for (link current = first_subscriber_; current != no_link; current = from_link<subscription>(current)->next_) {
    const subscription& each = *from_link<subscription>(current);
    if (each.is_behind_ != 0 && left_from(each.at_) >= kept_.size()) lasting(each.connection_).disconnect();
  }
}

// --- its subscribers ------------------------------------------------------------------------------------------------

std::optional<std::uint32_t> topic_core::number_after(std::string_view last_id) const noexcept {
  if (last_id == last_id_) return next_number();
  const auto known = std::ranges::find(kept_.rbegin(), kept_.rend(), last_id,
                                       [](const event_reference& each) -> const std::string& { return each->id; });
  if (known == kept_.rend()) return std::nullopt;
  return (first_ + static_cast<std::uint32_t>(kept_.rend() - known)) & number_mask;
}

void topic_core::enter(subscription& entering, std::string_view last_id) noexcept {
  if (from_link<subscription>(to_link(&entering)) != &entering) {
    tare::detail::misuse("a http::subscription must be in a task's frame: make it a local variable of the handler");
  }
  entering.topic_ = to_link(this);
  entering.next_ = first_subscriber_;
  if (first_subscriber_ != no_link) from_link<subscription>(first_subscriber_)->previous_ = to_link(&entering);
  first_subscriber_ = to_link(&entering);
  ++subscribers_;
  lasting owner(entering.connection_);
  ++subscribers_by_encoding_[static_cast<std::size_t>(owner.encoding_of())];
  owner.count_subscription(1);
  entering.at_ = next_number() & number_mask;
  if (last_id.empty()) return;
  const std::optional<std::uint32_t> after = number_after(last_id);
  if (!after) {
    entering.has_gap_ = 1U;
    return;
  }
  entering.at_ = *after & number_mask;
  deliver(entering, false);
}

void topic_core::leave(subscription& leaving) noexcept {
  if (leaving.is_behind_ != 0) {
    lasting(leaving.connection_).forget_behind(leaving);
    --behind_;
  }
  if (leaving.next_ != no_link) from_link<subscription>(leaving.next_)->previous_ = leaving.previous_;
  if (leaving.previous_ != no_link) {
    from_link<subscription>(leaving.previous_)->next_ = leaving.next_;
  } else {
    first_subscriber_ = leaving.next_;
  }
  --subscribers_;
  lasting owner(leaving.connection_);
  --subscribers_by_encoding_[static_cast<std::size_t>(owner.encoding_of())];
  owner.count_subscription(-1);
  trim();
}

void topic_core::mark_behind(subscription& subscription) noexcept {
  if (subscription.is_behind_ != 0) return;
  if (!lasting(subscription.connection_).note_behind(subscription)) return;
  subscription.is_behind_ = 1;
  ++behind_;
}

void topic_core::resume(subscription& to) noexcept {
  to.is_behind_ = 0;
  --behind_;
  deliver(to, true);
  trim();
}

void topic_core::deliver(subscription& to, bool was_behind) noexcept {
  lasting owner(to.connection_);
  for (;;) {
    const std::size_t left = left_from(to.at_);
    if (left == 0 || !owner.may_send()) return;
    if (!owner.is_free()) return mark_behind(to);
    std::size_t skipped = left > kept_.size() ? left - kept_.size() : 0;
    if (skipped != 0 && options_.slow == slow_subscriber::disconnect) return owner.disconnect();
    if (was_behind && options_.slow == slow_subscriber::latest_only) skipped = left - 1;
    missed_ += skipped;
    to.at_ = static_cast<std::uint32_t>(to.at_ + skipped) & number_mask;
    if (left == skipped) return;
    kept_event& next = *kept_[(to.at_ - first_) & number_mask];
    try {
      published_text text = encoded(next, owner);
      if (text == nullptr) return owner.disconnect();
      to.at_ = (to.at_ + 1U) & number_mask;
      if (!owner.send_shared(std::move(text))) return mark_behind(to);
    } catch (const std::bad_alloc&) {
      return owner.disconnect();
    }
  }
}

}  // namespace detail

// --- the interface --------------------------------------------------------------------------------------------------

topic::topic(topic_options options)
    : core_((tare::detail::require_task("tare::http::topic::topic"),
             ::new (tare::detail::allocate_record(sizeof(detail::topic_core))) detail::topic_core(options))) {}

topic::~topic() {
  if (!core_->is_unused()) {
    tare::detail::misuse("a http::topic was destroyed before its subscriptions, or while requests wait for it");
  }
  std::destroy_at(core_);
  tare::detail::free_record(core_);
}

result<void> topic::publish(const event& sent) {
  tare::detail::require_task("tare::http::topic::publish");
  return core_->publish(sent);
}
std::string_view topic::last_id() const noexcept { return core_->last_id(); }
std::size_t topic::polls() const noexcept { return core_->polls(); }
std::size_t topic::subscribers() const noexcept { return core_->subscribers(); }
std::size_t topic::behind() const noexcept { return core_->behind(); }
std::size_t topic::kept_bytes() const noexcept { return core_->kept_bytes(); }
std::uint64_t topic::missed() const noexcept { return core_->missed(); }

subscription::subscription(topic& to, websocket& socket) noexcept : connection_(detail::lasting::link_of(socket)) {
  to.core_->enter(*this, {});
}
subscription::subscription(topic& to, event_stream& stream, std::string_view last_event_id) noexcept
    : connection_(detail::lasting::link_of(stream)) {
  to.core_->enter(*this, last_event_id);
}
subscription::~subscription() { detail::topic_core::of(*this).leave(*this); }

}  // namespace tare::http
