#include "topics.hpp"

#include <tare/sleep.hpp>

#include <algorithm>
#include <new>
#include <system_error>

namespace push {

namespace http = tare::http;

bool is_topic_name(std::string_view name) noexcept {
  constexpr std::size_t max_bytes = 64;
  const auto is_allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  };
  return !name.empty() && name.size() <= max_bytes && std::ranges::all_of(name, is_allowed);
}

bool is_event_name(std::string_view name) noexcept {
  constexpr std::size_t max_bytes = 64;
  const auto is_visible = [](char c) { return c > ' ' && c <= '~'; };
  return name.size() <= max_bytes && std::ranges::all_of(name, is_visible) && name != "subscribed" && name != "reset" &&
         name != "unavailable";
}

topic_lease::topic_lease(named_topic& of, subscriber_kind by) noexcept : of_(&of), by_(by) {
  of_->of_.use(*of_);
  ++of_->of_.counted_.subscribers.at(std::to_underlying(by_));
}

topic_lease::~topic_lease() {
  if (of_ == nullptr) return;
  topics& all = of_->of_;
  --all.counted_.subscribers.at(std::to_underlying(by_));
  all.release(*of_);
}

topics::topics(topic_limits limits, event_ids ids) : limits_(limits), ids_(std::move(ids)) {}

// --- publishing -----------------------------------------------------------------------------------------------------

std::expected<publication, refusal> topics::publish(std::string_view name, http::event sent) {
  return publish_as(sequence_ + 1, name, sent);
}

void topics::skip_to(std::uint64_t sequence, bool is_complete) noexcept {
  sequence_ = std::max(sequence_, sequence);
  if (!is_complete) forgotten_through_ = sequence_;
}

std::expected<publication, refusal> topics::publish_as(std::uint64_t sequence, std::string_view name,
                                                       http::event sent) {
  const auto found = by_name_.find(name);
  named_topic* to = found == by_name_.end() ? nullptr : found->second.get();
  if (to == nullptr) {
    if (limits_.each.history_bytes == 0) {  // nobody receives it, now or later
      forgotten_through_ = sequence_ = sequence;
      ++counted_.events;
      counted_.event_bytes += sent.data.size();
      return publication{.sequence = sequence};
    }
    auto added = add(name);
    if (!added) return std::unexpected(added.error());
    to = *added;
  }
  const std::string id = ids_.text(sequence);
  sent.id = id;
  const std::size_t recipients = to->news.subscribers() + to->news.polls();
  const auto published = publish_with_room(*to, sent);
  if (!published) {
    forget_if_empty(*to);
    const bool is_full = published.error() == std::errc::not_enough_memory;
    return std::unexpected(is_full ? refusal::no_memory : refusal::unsendable);
  }
  sequence_ = sequence;
  note_sequence(*to, sequence);
  to->has_events_ = true;
  if (to->users_ == 0) {
    idle_.splice(idle_.end(), idle_, to->listed_);
    note_idle(*to);
  }
  ++counted_.events;
  counted_.event_bytes += sent.data.size();
  counted_.deliveries += recipients;
  return publication{.sequence = sequence, .recipients = recipients};
}

tare::http::result<void> topics::publish_with_room(named_topic& in, const http::event& sent) {
  auto published = in.news.publish(sent);
  if (!published && published.error() == std::errc::not_enough_memory && forget_oldest(&in)) {
    published = in.news.publish(sent);
  }
  return published;
}

void topics::note_sequence(named_topic& in, std::uint64_t sequence) {
  // An event counts with more than this, so the topic cannot have more events.
  constexpr std::size_t min_event_bytes = 64;
  const std::size_t max_events = in.news.kept_bytes() / min_event_bytes + 1;
  std::vector<std::uint64_t>& known = in.sequences_;
  known.push_back(sequence);
  if (known.size() > 2 * max_events) known.erase(known.begin(), known.end() - static_cast<std::ptrdiff_t>(max_events));
}

std::string topics::resume_id(const named_topic& in, std::uint64_t after) const {
  const auto next = std::ranges::upper_bound(in.sequences_, after);
  return ids_.text(next == in.sequences_.begin() ? after : *(next - 1));
}

// --- the lifetime of topics -----------------------------------------------------------------------------------------

std::expected<topic_lease, refusal> topics::enter(std::string_view name, subscriber_kind by) {
  if (const auto found = by_name_.find(name); found != by_name_.end()) return topic_lease(*found->second, by);
  if (by_name_.size() >= limits_.max_topics) return std::unexpected(refusal::too_many_topics);
  const auto added = add(name);
  if (!added) return std::unexpected(added.error());
  return topic_lease(**added, by);
}

bool topics::is_full_for(std::string_view name) const {
  return by_name_.size() >= limits_.max_topics && !by_name_.contains(name);
}

const named_topic* topics::find(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : found->second.get();
}

/// A new topic without users. For publishers, the topic that has been idle longest makes room.
std::expected<named_topic*, refusal> topics::add(std::string_view name) {
  if (by_name_.size() >= limits_.max_topics && !forget_oldest(nullptr)) {
    return std::unexpected(refusal::too_many_topics);
  }
  auto made = std::make_unique<named_topic>(*this, limits_.each);
  // The history begins with what a client has received that misses nothing; no client gets this event.
  const std::string id = ids_.text(forgotten_through_);
  const http::event begin{.data = {}, .name = "begin", .id = id};
  if (!publish_with_room(*made, begin)) return std::unexpected(refusal::no_memory);
  note_sequence(*made, forgotten_through_);
  made->listed_ = idle_.insert(idle_.end(), made.get());
  try {
    const auto at = by_name_.emplace(name, std::move(made)).first;
    at->second->name_ = at->first;
    note_idle(*at->second);
    return at->second.get();
  } catch (const std::bad_alloc&) {
    idle_.pop_back();
    throw;
  }
}

void topics::use(named_topic& by) noexcept {
  if (by.users_++ != 0) return;
  used_.splice(used_.end(), idle_, by.listed_);
  idle_bytes_ -= std::exchange(by.idle_bytes_, 0);
}

void topics::release(named_topic& by) noexcept {
  if (--by.users_ != 0) return;
  idle_.splice(idle_.end(), used_, by.listed_);
  note_idle(by);
  forget_if_empty(by);
}

/// Its time begins again, and the oldest make room for its history.
void topics::note_idle(named_topic& named_topic) noexcept {
  named_topic.idle_since_ = tare::now();
  idle_bytes_ -= named_topic.idle_bytes_;
  named_topic.idle_bytes_ = named_topic.news.kept_bytes();
  idle_bytes_ += named_topic.idle_bytes_;
  while (idle_bytes_ > limits_.idle_history_bytes && forget_oldest(&named_topic)) {
  }
}

void topics::forget_if_empty(named_topic& named_topic) noexcept {
  const bool has_history = named_topic.has_events_ && limits_.each.history_bytes != 0;
  if (named_topic.users_ == 0 && !has_history) forget(named_topic);
}

void topics::forget(named_topic& forgotten) noexcept {
  forgotten_through_ = std::max(forgotten_through_, forgotten.sequences_.back());
  counted_.missed += forgotten.news.missed();
  idle_bytes_ -= forgotten.idle_bytes_;
  idle_.erase(forgotten.listed_);
  by_name_.erase(by_name_.find(forgotten.name_));
}

bool topics::forget_oldest(const named_topic* except) noexcept {
  const auto oldest = std::ranges::find_if(idle_, [&](const named_topic* each) { return each != except; });
  if (oldest == idle_.end()) return false;
  forget(**oldest);
  return true;
}

void topics::forget_old() {
  const auto limit = tare::now() - limits_.history_time;
  while (!idle_.empty() && idle_.front()->idle_since_ <= limit) forget(*idle_.front());
}

topic_figures topics::figures() const {
  topic_figures sum = counted_;
  sum.topics = by_name_.size();
  for (const auto& [name, each] : by_name_) {
    sum.behind += each->news.behind();
    sum.kept_bytes += each->news.kept_bytes();
    sum.missed += each->news.missed();
  }
  return sum;
}

}  // namespace push
