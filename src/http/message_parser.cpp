#include "http/message_parser.hpp"

#include <algorithm>

namespace tare::http::detail {

bool line_ends::feed(std::string_view text) noexcept {
  if (text.empty()) return true;
  if (after_return_ && text.front() != '\n') return false;
  std::size_t position = after_return_ ? 1 : 0;
  after_return_ = false;
  while (position < text.size()) {
    const std::string_view rest = text.substr(position);
    const std::size_t feed = rest.find('\n');
    const std::string_view line = rest.substr(0, feed);
    const std::size_t back = line.find('\r');
    if (feed == std::string_view::npos) {
      if (back == std::string_view::npos) return true;
      after_return_ = back + 1 == line.size();
      return after_return_;
    }
    if (back == std::string_view::npos || back + 1 != feed) return false;
    position += feed + 1;
  }
  return true;
}

namespace {

// Return value of callbacks that makes the parser stop.
constexpr int stop = HPE_PAUSED;

}  // namespace

constexpr llhttp_settings_t message_parser::settings_ = [] {
  llhttp_settings_t settings{};
  settings.on_header_field_complete = [](llhttp_t* parser) {
    message_parser& self = of(parser);
    return ++self.fields_ > self.max_fields_ ? static_cast<int>(HPE_USER) : 0;
  };
  settings.on_headers_complete = [](llhttp_t* parser) {
    message_parser& self = of(parser);
    self.flags_ = parser->flags;
    self.length_ = parser->content_length;
    self.keep_alive_ = llhttp_should_keep_alive(parser) != 0;
    self.until_close_ = llhttp_message_needs_eof(parser) != 0;
    // The caller decides about protocol switches; the parser only reads messages.
    parser->upgrade = 0;
    if (self.no_body_) {
      parser->flags |= F_SKIPBODY;
      self.until_close_ = false;
    }
    self.reached_ = progress::head;
    return stop;
  };
  settings.on_body = [](llhttp_t* parser, const char* cursor, std::size_t length) {
    message_parser& self = of(parser);
    if (length == 0) return 0;
    self.data_ = {cursor, length};
    self.reached_ = progress::data;
    return stop;
  };
  settings.on_chunk_header = [](llhttp_t* parser) {
    if (parser->content_length != 0) return 0;
    of(parser).in_trailer_ = of(parser).at_line_start_ = true;
    return stop;
  };
  settings.on_message_complete = [](llhttp_t* parser) {
    of(parser).reached_ = progress::complete;
    return stop;
  };
  return settings;
}();

message_parser::message_parser(kind kind, unsigned max_fields) noexcept : max_fields_(max_fields), kind_(kind) {
  reset();
}

void message_parser::reset() noexcept {
  llhttp_init(&parser_, kind_ == kind::request ? HTTP_REQUEST : HTTP_RESPONSE, &settings_);
  parser_.data = this;
  fields_ = 0;
  error_ = HPE_OK;
  ends_ = {};
  no_body_ = false;
  head_done_ = in_start_line_ = in_fields_ = in_trailer_ = at_line_start_ = false;
}

std::size_t message_parser::without_tab(std::string_view bytes) noexcept {
  std::size_t position = 0;
  for (; position < bytes.size() && !in_fields_; ++position) {
    const char c = bytes[position];
    in_fields_ = in_start_line_ && c == '\n';
    in_start_line_ |= c != '\r' && c != '\n';
  }
  return std::min(bytes.find('\t', position), bytes.size());
}

bool message_parser::take_trailer(std::string_view bytes) noexcept {
  for (const char c : bytes) {
    if (at_line_start_ && (c == ' ' || c == '\t' || c == ':')) return false;
    at_line_start_ = c == '\n';
  }
  return true;
}

llhttp_errno_t message_parser::run(std::string_view bytes, std::size_t& done) noexcept {
  for (;;) {
    // llhttp trims spaces from values, but not tabs, which are equivalent (RFC 9110, 5.6.3). Runs at least once, even
    // without bytes, because that reports the end of a body.
    const std::string_view rest = bytes.substr(done);
    const std::size_t size = head_done_ ? rest.size() : without_tab(rest);
    const std::string_view piece = size == 0 && !rest.empty() ? std::string_view(" ") : rest.substr(0, size);
    if (llhttp_get_errno(&parser_) == HPE_PAUSED) llhttp_resume(&parser_);
    const bool was_in_trailer = in_trailer_;
    const llhttp_errno_t status = llhttp_execute(&parser_, piece.data(), piece.size());
    if (status != HPE_OK && status != HPE_PAUSED) return status;
    const std::size_t taken =
        status == HPE_OK ? piece.size() : static_cast<std::size_t>(llhttp_get_error_pos(&parser_) - piece.data());
    if (was_in_trailer && !take_trailer(piece.substr(0, taken))) return HPE_INVALID_HEADER_TOKEN;
    done += taken;
    // It also stops at the last chunk, which needs no report.
    const bool goes_on = status == HPE_OK ? done < bytes.size() : reached_ == progress::incomplete;
    if (!goes_on) return status;
  }
}

message_parser::progress message_parser::feed(std::string_view bytes) noexcept {
  reached_ = progress::incomplete;
  data_ = {};
  // The end of a body is reported when no byte of it is left; llhttp interprets a null pointer as "not begun".
  if (bytes.data() == nullptr) bytes = "";
  consumed_ = 0;
  const llhttp_errno_t status = run(bytes, consumed_);
  if (status != HPE_OK && status != HPE_PAUSED) {
    consumed_ = 0;
    const char* cursor = llhttp_get_error_pos(&parser_);
    const bool known = cursor >= bytes.data() && cursor < bytes.data() + bytes.size();
    culprit_ = known ? *cursor : '\0';
    return fail(status);
  }
  // Bytes other than body data: the head, chunk sizes, trailers.
  if (!head_done_ || chunked()) {
    if (!ends_.feed(bytes.substr(0, consumed_ - data_.size()))) return fail(HPE_STRICT);
  }
  if (reached_ == progress::head) head_done_ = true;
  return reached_;
}

}  // namespace tare::http::detail
