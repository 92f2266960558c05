#pragma once

// An event that a topic has published, while the topic keeps it or a request is about to respond with it. In the arena,
// because requests link to it. All on the shard of the topic.

#include "http/lasting/lasting.hpp"
#include "http/topic/published.hpp"

#include <tare/detail/frame_memory.hpp>
#include <tare/detail/link.hpp>
#include <tare/http/detail/poll_wait.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <utility>

namespace tare::http::detail {

struct kept_event {
  std::string id = {};
  std::string name = {};
  std::chrono::milliseconds retry{0};
  std::size_t data_bytes = 0;  ///< at the end of the WebSocket's frame
  std::array<published_text, lasting::encodings> texts = {};
  std::size_t references = 1;

  [[nodiscard]] std::string_view data() const noexcept {
    const std::string& frame = texts[static_cast<std::size_t>(lasting::encoding::frame)]->text;
    return std::string_view(frame).substr(frame.size() - data_bytes);
  }
  [[nodiscard]] std::size_t bytes() const noexcept {
    std::size_t sum = sizeof(kept_event) + id.size() + name.size();
    for (const published_text& each : texts) sum += each == nullptr ? 0 : each->text.size();
    const published_text& frame = texts[static_cast<std::size_t>(lasting::encoding::frame)];
    // What does not become smaller is the frame itself.
    return texts[static_cast<std::size_t>(lasting::encoding::compressed)] == frame ? sum - frame->text.size() : sum;
  }
};

/// A reference. 4 bytes.
class event_reference {
 public:
  event_reference() noexcept = default;
  event_reference(event_reference&& other) noexcept : to_(std::exchange(other.to_, tare::detail::no_link)) {}
  event_reference& operator=(event_reference&& other) noexcept {
    event_reference moved(std::move(other));
    std::swap(to_, moved.to_);
    return *this;
  }
  event_reference(const event_reference&) = delete;
  event_reference& operator=(const event_reference&) = delete;
  ~event_reference() {
    if (to_ != tare::detail::no_link) release_event(to_);
  }

  /// Throws std::bad_alloc.
  [[nodiscard]] static event_reference make() {
    event_reference made;
    made.to_ = tare::detail::to_link(::new (tare::detail::allocate_record(sizeof(kept_event))) kept_event);
    return made;
  }
  /// Another reference, which `release_event` counts down.
  [[nodiscard]] tare::detail::link share() const noexcept {
    ++(**this).references;
    return to_;
  }

  [[nodiscard]] kept_event& operator*() const noexcept { return *tare::detail::from_link<kept_event>(to_); }
  [[nodiscard]] kept_event* operator->() const noexcept { return &**this; }
  [[nodiscard]] explicit operator bool() const noexcept { return to_ != tare::detail::no_link; }

 private:
  tare::detail::link to_ = tare::detail::no_link;
};

}  // namespace tare::http::detail
