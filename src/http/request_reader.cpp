#include "http/request_reader.hpp"

#include <algorithm>

namespace tare::http::detail {

namespace {

/// Grows by little more than needed, because it may wait for the rest for a long time. std::string would double.
void append(std::string& text, std::string_view piece) {
  constexpr std::size_t min_step = 128;
  const std::size_t needed = text.size() + piece.size();
  if (needed > text.capacity()) {
    std::string larger;
    larger.reserve(text.empty() ? needed : std::max(needed, text.size() + std::max(text.size() / 8, min_step)));
    larger.append(text);
    text.swap(larger);
  }
  text.append(piece);
}

}  // namespace

void request_reader::drop_head() noexcept {
  std::string().swap(text_);
  head_ = {};
}

void request_reader::release_text() noexcept {
  std::string().swap(text_);
  head_ = {.method = {},
           .target = {},
           .path = {},
           .query = {},
           .authority = {},
           .fields = {},
           .length = head_.length,
           .minor_version = head_.minor_version,
           .chunked = head_.chunked,
           .keep_alive = head_.keep_alive,
           .expects_continue = head_.expects_continue};
}

void request_reader::next(const request_limits& limits) noexcept {
  constexpr std::size_t kept_bytes = 1024;
  limits_ = limits;
  parser_.reset();
  if (text_.capacity() > kept_bytes) drop_head();
  text_.clear();
  head_ = {};
  body_bytes_ = framing_bytes_ = 0;
  in_body_ = false;
}

request_reader::progress request_reader::feed(std::string_view bytes) {
  return in_body_ ? feed_body(bytes) : feed_head(bytes);
}

request_reader::progress request_reader::feed_head(std::string_view bytes) {
  // The parser sees at most the limit, so no more is stored.
  const std::string_view allowed = bytes.substr(0, limits_.head_bytes - text_.size() + 1);
  const message_parser::progress reached = parser_.feed(allowed);
  consumed_ = reached == message_parser::progress::failed ? allowed.size() : parser_.consumed();
  append(text_, allowed.substr(0, consumed_));
  if (reached == message_parser::progress::failed) return refuse(refuse_request(parser_));
  if (text_.size() > limits_.head_bytes) {
    const bool in_first_line = text_.find('\n') == std::string::npos;
    return refuse(in_first_line ? refusal{.status = 414, .why = "the request target is too long"}
                                : refusal{.status = 431, .why = "the head of the request is too large"});
  }
  if (reached == message_parser::progress::incomplete) return progress::incomplete;
  if (auto understood = understand_request(text_, parser_, head_); !understood) return refuse(understood.error());
  in_body_ = true;
  return progress::head;
}

request_reader::progress request_reader::feed_body(std::string_view bytes) noexcept {
  consumed_ = 0;
  if (!has_body()) return progress::complete;
  if (head_.length > limits_.body_bytes) return refuse({.status = 413, .why = "the body is too large"});
  const message_parser::progress reached = parser_.feed(bytes);
  consumed_ = parser_.consumed();
  body_bytes_ += parser_.data().size();
  framing_bytes_ += consumed_ - parser_.data().size();
  // Extensions and trailers are not stored, but reading them without limit would waste work (CVE-2024-22019).
  constexpr std::uint64_t max_framing_per_byte = 8;
  if (framing_bytes_ > limits_.head_bytes + body_bytes_ * max_framing_per_byte) {
    return refuse({.status = 413, .why = "more framing of chunks than chunks"});
  }
  switch (reached) {
    case message_parser::progress::incomplete:
      return progress::incomplete;
    case message_parser::progress::data:
      if (body_bytes_ > limits_.body_bytes) return refuse({.status = 413, .why = "the body is too large"});
      return progress::data;
    case message_parser::progress::complete:
      return progress::complete;
    default:
      return refuse(parser_.too_many_fields() ? refusal{.status = 431, .why = "too many fields"}
                                              : refusal{.status = 400, .why = "a bad chunk"});
  }
}

}  // namespace tare::http::detail
