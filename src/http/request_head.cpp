#include "http/request_head.hpp"

#include "http/authority.hpp"
#include "http/characters.hpp"

#include <optional>

namespace tare::http::detail {

namespace {

bool percent_signs_are_right(std::string_view text) noexcept {
  for (std::size_t position = text.find('%'); position != std::string_view::npos;
       position = text.find('%', position + 1)) {
    if (position + 2 >= text.size() || !is(text[position + 1], hex_digit) || !is(text[position + 2], hex_digit))
      return false;
  }
  return true;
}

/// Empty lines before a request are skipped (RFC 9112, 2.2).
std::string_view without_leading_line_ends(std::string_view text) noexcept {
  while (text.starts_with("\r\n")) text.remove_prefix(2);
  return text;
}

class reader {
 public:
  reader(const message_parser& parser, request_head& head) noexcept : parser_(parser), head_(head) {}

  [[nodiscard]] std::expected<void, refusal> read(std::string_view text) noexcept {
    text = without_leading_line_ends(text);
    const std::size_t end = text.find("\r\n");
    // The parser has seen the line ends and the empty line after the fields.
    const std::string_view start_line = text.substr(0, end);
    const std::string_view lines = text.substr(end + 2, text.size() - end - 4);
    if (!read_start_line(start_line) || !read_fields(lines) || !agree_on_host()) return std::unexpected(refusal_);
    return {};
  }

 private:
  bool refuse(unsigned status, std::string_view why) noexcept {
    refusal_ = {.status = status, .why = why};
    return false;
  }

  bool read_start_line(std::string_view line) noexcept {
    const std::size_t first = line.find(' ');
    const std::size_t last = line.rfind(' ');
    if (first == std::string_view::npos || first == last) return refuse(400, "no HTTP version in the request line");
    head_.method = line.substr(0, first);
    head_.target = line.substr(first + 1, last - first - 1);
    // The parser also accepts RTSP and ICE.
    if (!line.substr(last + 1).starts_with("HTTP/")) return refuse(400, "not a request of HTTP");
    if (parser_.major_version() != 1) return refuse(505, "this server speaks HTTP/1.1");
    head_.minor_version = static_cast<std::uint8_t>(parser_.minor_version());
    if (head_.method == "CONNECT") return refuse(501, "this server is not a proxy");
    if (!all(head_.target, target_character)) return refuse(400, "a character that no request target may have");
    if (!percent_signs_are_right(head_.target)) return refuse(400, "a percent sign without two hexadecimal digits");
    return read_target(head_.target);
  }

  bool read_target(std::string_view target) noexcept {
    if (target == "*") {
      if (head_.method != "OPTIONS") return refuse(400, "only OPTIONS can apply to the whole server");
      head_.path = target;
      return true;
    }
    if (!target.starts_with('/')) {
      const std::size_t scheme = target.find("://");
      if (scheme == std::string_view::npos || (!equal_ignoring_case(target.substr(0, scheme), "http") &&
                                               !equal_ignoring_case(target.substr(0, scheme), "https"))) {
        return refuse(400, "neither a path nor an http URL");
      }
      if (scheme == 5) default_port_ = "443";
      target.remove_prefix(scheme + 3);
      const std::size_t end = target.find_first_of("/?");
      head_.authority = target.substr(0, end);
      target_host_ = parse_authority(head_.authority);
      if (!target_host_) return refuse(400, "a URL with an invalid host");
      target = end == std::string_view::npos ? std::string_view() : target.substr(end);
    }
    const std::size_t question = target.find('?');
    head_.path = target.substr(0, question);
    if (head_.path.empty()) head_.path = "/";
    if (question != std::string_view::npos) head_.query = target.substr(question + 1);
    return true;
  }

  bool read_fields(std::string_view lines) noexcept {
    head_.fields = fields_view(lines);
    head_.chunked = parser_.chunked();
    head_.length = parser_.length();
    head_.keep_alive = parser_.keep_alive();
    unsigned hosts = 0;
    unsigned encodings = 0;
    bool unknown_coding = false;
    while (!lines.empty()) {
      // Each line ends with CR and LF, and contains no other.
      const std::size_t end = lines.find('\n');
      const std::string_view line = lines.substr(0, end - 1);
      lines.remove_prefix(end + 1);
      if (line.starts_with(' ') || line.starts_with('\t')) return refuse(400, "a folded field");
      const std::size_t colon = line.find(':');
      if (colon == 0 || colon == std::string_view::npos) return refuse(400, "a field without a name");
      const std::string_view name = line.substr(0, colon);
      // Compares lengths first, which skips nearly all of them.
      switch (colon) {
        case 4:
          if (equal_ignoring_case(name, "host")) {
            ++hosts;
            host_ = without_blanks(line.substr(5));
          }
          break;
        case 6:
          if (equal_ignoring_case(name, "expect") && !read_expectation(without_blanks(line.substr(7)))) return false;
          break;
        case 17:
          if (equal_ignoring_case(name, "transfer-encoding")) {
            ++encodings;
            unknown_coding |= !equal_ignoring_case(without_blanks(line.substr(18)), "chunked");
          }
          break;
        default:
          break;
      }
    }
    if (unknown_coding) return refuse(501, "the only transfer coding that this server knows is chunked");
    if (hosts > 1) return refuse(400, "more than one Host");
    if (hosts == 0 && head_.minor_version > 0) return refuse(400, "no Host");
    has_host_ = hosts != 0;
    if (encodings > 1) return refuse(400, "more than one Transfer-Encoding");
    if (encodings == 1 && head_.minor_version == 0) return refuse(400, "Transfer-Encoding in HTTP/1.0");
    if (encodings == 1 && !head_.chunked) return refuse(400, "a bad Transfer-Encoding");
    return true;
  }

  bool read_expectation(std::string_view value) noexcept {
    if (!equal_ignoring_case(value, "100-continue")) return refuse(417, "the only expectation known is 100-continue");
    head_.expects_continue = head_.minor_version > 0 && (head_.chunked || head_.length > 0);
    return true;
  }

  /// The target's authority takes precedence (RFC 9112, 3.2.2). A different Host is refused, because another party in
  /// front of or behind this server may use it.
  bool agree_on_host() noexcept {
    if (!has_host_) return true;
    // Only a request for the whole server may have no host (RFC 9110, 4.2.1).
    const bool nameless = head_.path == "*" && host_.empty();
    const auto host = parse_authority(host_);
    if (!host && !nameless) return refuse(400, "a bad Host");
    if (!target_host_) {
      head_.authority = host_;
    } else if (!host || !is_same(*target_host_, *host, default_port_)) {
      return refuse(400, "Host is not the host of the URL");
    }
    return true;
  }

  const message_parser& parser_;
  request_head& head_;
  std::optional<authority> target_host_;  ///< of a target in absolute form
  std::string_view default_port_ = "80";
  std::string_view host_;
  bool has_host_ = false;
  refusal refusal_{};
};

/// A well-formed version that the parser does not accept.
bool names_another_version(const message_parser& parser) noexcept {
  switch (parser.major_version() * 10 + parser.minor_version()) {
    case 0:
    case 9:
    case 10:
    case 11:
    case 20:
      return false;
    default:
      return true;
  }
}

}  // namespace

std::expected<void, refusal> understand_request(std::string_view text, const message_parser& parser,
                                                request_head& head) noexcept {
  return reader(parser, head).read(text);
}

refusal refuse_request(const message_parser& parser) noexcept {
  if (parser.too_many_fields()) return {.status = 431, .why = "too many fields"};
  switch (parser.error()) {
    case HPE_INVALID_METHOD:
      // Decides by one byte, so it does not matter how many others have arrived.
      if (is(parser.culprit(), token_character)) return {.status = 501, .why = "an unknown method"};
      return {.status = 400, .why = "not a request of HTTP/1.1"};
    case HPE_PAUSED_H2_UPGRADE:
      return {.status = 505, .why = "this server speaks HTTP/1.1"};
    case HPE_INVALID_VERSION:
      if (names_another_version(parser)) return {.status = 505, .why = "this server speaks HTTP/1.1"};
      return {.status = 400, .why = "a bad HTTP version"};
    case HPE_INVALID_URL:
      return {.status = 400, .why = "a bad request target"};
    case HPE_INVALID_CONTENT_LENGTH:
    case HPE_UNEXPECTED_CONTENT_LENGTH:
      return {.status = 400, .why = "a bad Content-Length"};
    case HPE_INVALID_TRANSFER_ENCODING:
      return {.status = 400, .why = "a bad Transfer-Encoding"};
    case HPE_INVALID_CHUNK_SIZE:
      return {.status = 400, .why = "a bad chunk"};
    default:
      return {.status = 400, .why = "malformed"};
  }
}

}  // namespace tare::http::detail
