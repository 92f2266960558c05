#include "http/response_reader.hpp"

#include "http/characters.hpp"

#include <tare/http/status.hpp>

namespace tare::http::detail {

void response_reader::next(std::string_view method) noexcept {
  parser_.reset();
  text_.clear();
  fields_ = {};
  body_bytes_ = framing_bytes_ = 0;
  in_body_ = has_body_ = false;
  answers_head_ = method == "HEAD";
  if (answers_head_) parser_.expect_no_body();
}

std::optional<std::uint64_t> response_reader::length() const noexcept {
  if (!has_body_) return 0;
  if (parser_.has_length()) return parser_.length();
  return std::nullopt;
}

response_reader::progress response_reader::feed(std::string_view bytes) {
  if (!in_body_) return feed_head(bytes);
  consumed_ = 0;
  if (!has_body_) return progress::complete;
  const message_parser::progress reached = parser_.feed(bytes);
  consumed_ = parser_.consumed();
  body_bytes_ += parser_.data().size();
  framing_bytes_ += consumed_ - parser_.data().size();
  constexpr std::uint64_t max_framing_per_byte = 8;
  if (framing_bytes_ > limits_.head_bytes + body_bytes_ * max_framing_per_byte) return fail(errc::malformed);
  switch (reached) {
    case message_parser::progress::incomplete:
      return progress::incomplete;
    case message_parser::progress::data:
      return progress::data;
    case message_parser::progress::complete:
      return progress::complete;
    default:
      return fail(errc::malformed);
  }
}

response_reader::progress response_reader::feed_head(std::string_view bytes) {
  const std::string_view allowed = bytes.substr(0, limits_.head_bytes - text_.size() + 1);
  const message_parser::progress reached = parser_.feed(allowed);
  if (reached == message_parser::progress::failed) {
    consumed_ = allowed.size();
    return fail(parser_.too_many_fields() ? errc::head_too_large : errc::malformed);
  }
  consumed_ = parser_.consumed();
  text_.append(allowed.substr(0, consumed_));
  if (text_.size() > limits_.head_bytes) return fail(errc::head_too_large);
  if (reached == message_parser::progress::incomplete) return progress::incomplete;
  if (!understand()) return fail(errc::malformed);
  in_body_ = true;
  has_body_ =
      !answers_head_ && !has_no_body(status()) && (parser_.chunked() || parser_.until_close() || parser_.length() > 0);
  return progress::head;
}

bool response_reader::understand() noexcept {
  if (parser_.major_version() != 1 || status() < 100 || status() > 599) return false;
  const std::string_view text = text_;
  const std::size_t end = text.find("\r\n");
  std::string_view lines = text.substr(end + 2, text.size() - end - 4);
  if (!text.starts_with("HTTP/1.")) return false;
  fields_ = fields_view(lines);
  unsigned encodings = 0;
  while (!lines.empty()) {
    const std::size_t line_end = lines.find("\r\n");
    const std::string_view line = lines.substr(0, line_end);
    lines.remove_prefix(line_end == std::string_view::npos ? lines.size() : line_end + 2);
    if (line.starts_with(' ') || line.starts_with('\t')) return false;
    const std::size_t colon = line.find(':');
    if (colon == 0 || colon == std::string_view::npos) return false;
    if (!equal_ignoring_case(line.substr(0, colon), "transfer-encoding")) continue;
    // A response in an unrequested coding must not be passed on as if it were plain.
    if (++encodings > 1 || !equal_ignoring_case(without_blanks(line.substr(colon + 1)), "chunked")) return false;
  }
  return encodings == 0 || parser_.chunked();
}

response_reader::progress response_reader::end_of_stream() noexcept {
  if (in_body_ && (!has_body_ || parser_.until_close())) return progress::complete;
  return fail(errc::truncated);
}

}  // namespace tare::http::detail
