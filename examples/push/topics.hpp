#pragma once

// All topics of the gateway. A topic exists while it has subscribers or a history, and there is a limit on their
// number.
//
// The events of all topics are numbered in one sequence. So the position of a client is one number, whichever topic it
// follows, and a topic can be forgotten without its numbers being used again.

#include "event_id.hpp"

#include <tare/http/events.hpp>
#include <tare/http/topic.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace push {

/// Whether it can be the name of a topic: 1 to 64 letters, digits, hyphens and underscores.
[[nodiscard]] bool is_topic_name(std::string_view name) noexcept;

/// Whether it can be the name of an event: up to 64 visible ASCII characters, so that it can be a header field, and not
/// one of the names that the gateway itself sends.
[[nodiscard]] bool is_event_name(std::string_view name) noexcept;

enum class refusal : std::uint8_t { too_many_topics, no_memory, unsendable };

enum class subscriber_kind : std::uint8_t { websocket, events, poll };
inline constexpr std::array<std::string_view, 3> subscriber_names{"websocket", "events", "poll"};

class topics;

/// One topic. The subscribers use `news`; the rest is for `topics`.
class named_topic {
 public:
  named_topic(topics& of, tare::http::topic_options options) : news(options), of_(of) {}

  tare::http::topic news;

 private:
  friend class topics;
  friend class topic_lease;

  topics& of_;
  std::string_view name_;
  std::vector<std::uint64_t> sequences_;  ///< of the events in `news`, and perhaps of some before them
  std::size_t users_ = 0;
  bool has_events_ = false;
  std::size_t idle_bytes_ = 0;  ///< what it counts for in `topics::idle_bytes_`
  std::list<named_topic*>::iterator listed_;
  std::chrono::steady_clock::time_point idle_since_;  ///< without users: the last event, or when the last one left
};

/// A topic in use: it exists at least as long as this. Move-only.
class topic_lease {
 public:
  topic_lease(named_topic& of, subscriber_kind by) noexcept;
  topic_lease(topic_lease&& other) noexcept : of_(std::exchange(other.of_, nullptr)), by_(other.by_) {}
  topic_lease& operator=(topic_lease&&) = delete;
  topic_lease(const topic_lease&) = delete;
  topic_lease& operator=(const topic_lease&) = delete;
  ~topic_lease();

  [[nodiscard]] named_topic& operator*() const noexcept { return *of_; }
  [[nodiscard]] named_topic* operator->() const noexcept { return of_; }

 private:
  named_topic* of_;
  subscriber_kind by_;
};

struct topic_limits {
  tare::http::topic_options each;
  std::size_t max_topics = 10'000;
  std::size_t idle_history_bytes = SIZE_MAX;  ///< for the histories of all topics without subscribers
  std::chrono::seconds history_time{600};     ///< how long such a history is kept
};

struct publication {
  std::uint64_t sequence = 0;
  std::size_t recipients = 0;  ///< subscribers and waiting requests
};

struct topic_figures {
  std::size_t topics = 0;
  std::array<std::size_t, 3> subscribers{};  ///< by kind
  std::size_t behind = 0;
  std::size_t kept_bytes = 0;
  std::uint64_t events = 0;
  std::uint64_t event_bytes = 0;
  std::uint64_t deliveries = 0;  ///< the sum of the recipients
  std::uint64_t missed = 0;
  std::uint64_t resets = 0;
};

/// Belongs to one shard. Must be constructed in a task, and outlive its leases.
class topics {
 public:
  topics(topic_limits limits, event_ids ids);
  topics(const topics&) = delete;
  topics& operator=(const topics&) = delete;
  ~topics() = default;

  /// Publishes as the next event of the sequence; `sent.id` is ignored. If there is no memory, the oldest histories of
  /// topics without subscribers make room.
  [[nodiscard]] std::expected<publication, refusal> publish(std::string_view name, tare::http::event sent);

  /// Publishes as the event with that number, which is larger than all before. Without memory, nothing has happened.
  [[nodiscard]] std::expected<publication, refusal> publish_as(std::uint64_t sequence, std::string_view name,
                                                               tare::http::event sent);
  /// There are no events up to that number that have not been published here. Before the first event, and with
  /// `is_complete` false, there may have been some: clients that are before it have a gap.
  void skip_to(std::uint64_t sequence, bool is_complete = true) noexcept;

  /// The topic of that name, which may be new.
  [[nodiscard]] std::expected<topic_lease, refusal> enter(std::string_view name, subscriber_kind by);
  /// Whether `enter` would refuse because of the number of topics.
  [[nodiscard]] bool is_full_for(std::string_view name) const;
  /// nullptr if there is none.
  [[nodiscard]] const named_topic* find(std::string_view name) const;

  [[nodiscard]] const event_ids& ids() const noexcept { return ids_; }
  /// The number of the latest event of all topics: where a client is that has missed nothing.
  [[nodiscard]] std::uint64_t sequence() const noexcept { return sequence_; }
  /// The id from which a client continues in this topic that has received all events up to `after`. The topic does not
  /// know the result any more if the client may have missed events.
  [[nodiscard]] std::string resume_id(const named_topic& in, std::uint64_t after) const;

  /// A subscription that continues there.
  [[nodiscard]] tare::http::subscription subscribe(named_topic& to, tare::http::event_stream& by,
                                                   std::uint64_t after) const {
    return {to.news, by, resume_id(to, after)};
  }

  /// Forgets the histories of topics without subscribers that are older than the limit.
  void forget_old();

  [[nodiscard]] topic_figures figures() const;
  void count_reset() noexcept { ++counted_.resets; }

 private:
  friend class topic_lease;
  using map = std::map<std::string, std::unique_ptr<named_topic>, std::less<>>;

  [[nodiscard]] tare::http::result<void> publish_with_room(named_topic& in, const tare::http::event& sent);
  [[nodiscard]] std::expected<named_topic*, refusal> add(std::string_view name);
  void use(named_topic& by) noexcept;
  void release(named_topic& by) noexcept;
  void forget(named_topic& forgotten) noexcept;
  void forget_if_empty(named_topic& named_topic) noexcept;
  [[nodiscard]] bool forget_oldest(const named_topic* except) noexcept;
  void note_idle(named_topic& named_topic) noexcept;
  static void note_sequence(named_topic& in, std::uint64_t sequence);

  topic_limits limits_;
  event_ids ids_;
  std::uint64_t sequence_ = 0;
  std::uint64_t forgotten_through_ = 0;  ///< no event of a topic that does not exist has a larger number
  map by_name_;
  std::list<named_topic*> used_;
  std::list<named_topic*> idle_;  ///< without users, longest first
  std::size_t idle_bytes_ = 0;    ///< of their histories
  topic_figures counted_;         ///< without what `figures` counts
};

}  // namespace push
