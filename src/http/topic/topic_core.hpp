#pragma once

// A topic: what it keeps, its subscribers, and how they get it.

#include "http/lasting/lasting.hpp"
#include "http/topic/published.hpp"

#include <tare/http/topic.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

namespace tare::http::detail {

/// In the arena, because subscriptions link to it.
class topic_core {
 public:
  explicit topic_core(topic_options options) noexcept : options_(options) {}
  topic_core(const topic_core&) = delete;
  topic_core& operator=(const topic_core&) = delete;
  ~topic_core() = default;

  [[nodiscard]] result<void> publish(const event& sent);
  void enter(subscription& entering, std::string_view last_id) noexcept;
  void leave(subscription& leaving) noexcept;
  /// Sends what the subscriber has not received, as far as its connection accepts it.
  void deliver(subscription& to, bool was_behind) noexcept;
  /// The connection of the subscriber can send again.
  void resume(subscription& to) noexcept;
  [[nodiscard]] static topic_core& of(const subscription& one) noexcept {
    return *tare::detail::from_link<topic_core>(one.topic_);
  }

  [[nodiscard]] bool is_unused() const noexcept { return first_subscriber_ == tare::detail::no_link; }
  [[nodiscard]] std::size_t subscribers() const noexcept { return subscribers_; }
  [[nodiscard]] std::size_t behind() const noexcept { return behind_; }
  [[nodiscard]] std::size_t kept_bytes() const noexcept { return kept_bytes_; }
  [[nodiscard]] std::uint64_t missed() const noexcept { return missed_; }

 private:
  static constexpr std::uint32_t number_mask = (1U << 30U) - 1;

  struct entry {
    std::string id;
    std::string name;
    std::chrono::milliseconds retry;
    std::size_t data_bytes;  ///< at the end of the WebSocket's frame
    std::array<published_text, lasting::encodings> texts;

    [[nodiscard]] std::string_view data() const noexcept;
    [[nodiscard]] std::size_t bytes() const noexcept;
  };

  [[nodiscard]] std::uint32_t next_number() const noexcept {
    return (first_ + static_cast<std::uint32_t>(kept_.size())) & number_mask;
  }
  [[nodiscard]] std::size_t left_for(const subscription& one) const noexcept {
    return (next_number() - one.at_) & number_mask;
  }
  [[nodiscard]] published_text encoded(entry& of, lasting::encoding as);
  [[nodiscard]] static published_text admit(std::string text);
  [[nodiscard]] bool make_entry(const event& sent, entry& made);
  void relieve() noexcept;
  void trim() noexcept;
  void drop_oldest() noexcept;
  void mark_behind(subscription& one) noexcept;

  topic_options options_;
  std::deque<entry> kept_;
  std::uint32_t first_ = 0;  ///< the number of the oldest
  std::size_t kept_bytes_ = 0;
  std::size_t subscribers_ = 0;
  std::size_t behind_ = 0;
  std::uint64_t missed_ = 0;
  tare::detail::link first_subscriber_ = tare::detail::no_link;
};

}  // namespace tare::http::detail
