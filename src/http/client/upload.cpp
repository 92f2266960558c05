#include "http/client/upload.hpp"

#include <array>
#include <charconv>
#include <utility>

namespace tare::http::detail {

void upload::begin(std::string head, std::string_view body, bool chunked) {
  // A small body is sent with the head, in one system call and one TLS record.
  constexpr std::size_t max_joined_bytes = std::size_t{16} << 10U;
  front_ = std::move(head);
  front_at_ = 0;
  body_ = body;
  chunked_ = chunked;
  ended_ = false;
  if (front_.size() + body.size() > max_joined_bytes) return;
  front_.append(body);
  body_ = {};
}

void upload::add_piece(std::string_view piece) {
  std::array<char, 16> digits{};
  char* const end = std::to_chars(digits.data(), digits.data() + digits.size(), piece.size(), 16).ptr;
  front_.assign(digits.data(), end);
  front_.append("\r\n").append(piece).append("\r\n");
  front_at_ = 0;
  ended_ = piece.empty();
}

void upload::consume(std::size_t count) noexcept {
  if (front_at_ < front_.size()) {
    front_at_ += count;
  } else {
    body_.remove_prefix(count);
  }
}

}  // namespace tare::http::detail
