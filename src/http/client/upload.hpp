#pragma once

// The bytes of a request that have not been sent yet. Independent of sockets and tasks.

#include <cstddef>
#include <string>
#include <string_view>

namespace tare::http::detail {

class upload {
 public:
  /// Begins with the head, followed by `body`, which must stay valid, or by chunks that are added later.
  void begin(std::string head, std::string_view body, bool chunked);

  /// True if there is nothing to send until the next chunk is added.
  [[nodiscard]] bool needs_piece() const noexcept { return chunked_ && !ended_ && at_hand().empty(); }
  /// Copies the chunk. An empty chunk is the last.
  void add_piece(std::string_view piece);

  /// The bytes to send next.
  [[nodiscard]] std::string_view at_hand() const noexcept {
    return front_at_ < front_.size() ? std::string_view(front_).substr(front_at_) : body_;
  }
  /// Marks this many of them as sent.
  void consume(std::size_t count) noexcept;

  [[nodiscard]] bool complete() const noexcept { return at_hand().empty() && (!chunked_ || ended_); }

 private:
  std::string front_;
  std::size_t front_at_ = 0;
  std::string_view body_;
  bool chunked_ = false;
  bool ended_ = false;
};

}  // namespace tare::http::detail
