#pragma once

// The bytes of a request that have not been sent yet. Without sockets and tasks.

#include <cstddef>
#include <string>
#include <string_view>

namespace tare::http::detail {

class upload {
 public:
  /// Begins with the head; `body` follows it and must stay, or chunks that are added later.
  void begin(std::string head, std::string_view body, bool chunked);

  /// Nothing is at hand, and the next chunk has to be added before something is.
  [[nodiscard]] bool needs_piece() const noexcept { return chunked_ && !ended_ && at_hand().empty(); }
  /// Copies it. An empty one is the last.
  void add_piece(std::string_view piece);

  /// What is to be sent next.
  [[nodiscard]] std::string_view at_hand() const noexcept {
    return front_at_ < front_.size() ? std::string_view(front_).substr(front_at_) : body_;
  }
  /// So many bytes of that have been sent.
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
