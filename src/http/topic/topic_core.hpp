#pragma once

// A topic: what it keeps, its subscribers, and how they get it.

#include "http/lasting/lasting.hpp"
#include "http/topic/kept_event.hpp"
#include "http/topic/published.hpp"

#include <tare/detail/shard_state.hpp>
#include <tare/http/topic.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

namespace tare::http::detail {

/// In the arena, because subscriptions link to it.
class topic_core {
 public:
  explicit topic_core(topic_options options) noexcept;
  topic_core(const topic_core&) = delete;
  topic_core& operator=(const topic_core&) = delete;
  ~topic_core();

  [[nodiscard]] result<void> publish(const event& sent);
  void enter(subscription& entering, std::string_view last_id) noexcept;
  void leave(subscription& leaving) noexcept;
  /// Sends what the subscriber has not received, as far as its connection accepts it.
  void deliver(subscription& to, bool was_behind) noexcept;
  /// The connection of the subscriber can send again.
  void resume(subscription& to) noexcept;
  [[nodiscard]] static topic_core& of(const subscription& subscription) noexcept {
    return *tare::detail::from_link<topic_core>(subscription.topic_);
  }

  // Long polls (polls.cpp).
  [[nodiscard]] poll_request begin_poll(std::string_view last_id, std::chrono::nanoseconds limit,
                                        const connection_group& group) const noexcept;
  /// The event that it waits for, if it has been published.
  void find_for(poll_wait& wait) const noexcept;
  void enter(poll_wait& waits) noexcept;
  void leave(poll_wait& waits) noexcept;
  /// The requests of these connections, which drain, wait no longer.
  static void end_polls(const connection_group& ended) noexcept;
  [[nodiscard]] bool is_at_home() const noexcept { return home_ == tare::detail::current_shard; }
  [[nodiscard]] std::string_view last_id() const noexcept { return last_id_; }
  [[nodiscard]] std::size_t polls() const noexcept { return polls_; }

  [[nodiscard]] bool is_unused() const noexcept {
    return first_subscriber_ == tare::detail::no_link && first_poll_ == tare::detail::no_link;
  }
  [[nodiscard]] std::size_t subscribers() const noexcept { return subscribers_; }
  [[nodiscard]] std::size_t behind() const noexcept { return behind_; }
  [[nodiscard]] std::size_t kept_bytes() const noexcept { return kept_bytes_; }
  [[nodiscard]] std::uint64_t missed() const noexcept { return missed_; }

 private:
  static constexpr std::uint32_t number_mask = (1U << 30U) - 1;

  [[nodiscard]] std::uint32_t next_number() const noexcept {
    return (first_ + static_cast<std::uint32_t>(kept_.size())) & number_mask;
  }
  /// How many events there are from the one with this number on.
  [[nodiscard]] std::size_t left_from(std::uint32_t number) const noexcept {
    return (next_number() - number) & number_mask;
  }
  /// The number of the event after the one with that id; nullopt if it is not known any more.
  [[nodiscard]] std::optional<std::uint32_t> number_after(std::string_view last_id) const noexcept;
  static void give(poll_wait& to, const event_reference& event) noexcept;
  void give_to_polls(const event_reference& event) noexcept;
  void end_poll(poll_wait& wait) noexcept;
  /// For event streams. False if it is not admitted. Throws std::bad_alloc.
  [[nodiscard]] static bool encode(kept_event& kept, lasting::encoding as);
  [[nodiscard]] published_text encoded(kept_event& event, lasting& to);
  /// The frame as it is, if it does not become smaller or is not admitted.
  [[nodiscard]] published_text compressed(const kept_event& event, lasting& to);
  [[nodiscard]] static published_text admit(std::string text);
  /// Encoded for every kind of subscriber; empty if it is not admitted. Throws std::bad_alloc.
  [[nodiscard]] event_reference make_entry(const event& sent);
  void relieve() noexcept;
  void trim() noexcept;
  void drop_oldest() noexcept;
  void mark_behind(subscription& subscription) noexcept;

  topic_options options_;
  std::deque<event_reference> kept_;
  std::string last_id_;
  tare::detail::shard_state* home_;
  std::uint32_t first_ = 0;  ///< the number of the oldest
  std::size_t kept_bytes_ = 0;
  std::size_t subscribers_ = 0;
  std::array<std::size_t, lasting::encodings + 1> subscribers_by_encoding_ = {};  ///< the last: masked
  std::size_t behind_ = 0;
  std::uint64_t missed_ = 0;
  tare::detail::link first_subscriber_ = tare::detail::no_link;
  tare::detail::link first_poll_ = tare::detail::no_link;
  std::size_t polls_ = 0;
  topic_core* next_of_shard_;
  topic_core* previous_of_shard_ = nullptr;
};

}  // namespace tare::http::detail
