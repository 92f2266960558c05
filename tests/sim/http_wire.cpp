#include "sim/wire_checkers.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <string>
#include <utility>

namespace tare::testing {

namespace {

constexpr std::size_t max_line = 65536;

[[nodiscard]] bool is_token(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c != '\0' && std::strchr("!#$%&'*+-.^_`|~", c) != nullptr);
  });
}

[[nodiscard]] std::string lower(std::string_view text) {
  std::string made(text);
  for (char& c : made) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return made;
}

[[nodiscard]] std::optional<std::uint64_t> number_in(std::string_view text, int base) {
  std::uint64_t value = 0;
  const auto [stop, wrong] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (text.empty() || wrong != std::errc() || stop != text.data() + text.size()) return std::nullopt;
  return value;
}

[[nodiscard]] std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

[[nodiscard]] std::string shown(std::string_view text) { return "'" + std::string(text.substr(0, 80)) + "'"; }

}  // namespace

std::string http_wire::check(end from, std::string_view bytes) {
  half& of = from == end::client ? client_ : server_;
  std::string wrong;
  while (!bytes.empty() && wrong.empty()) {
    switch (of.now) {
      case state::body:
      case state::chunk: {
        const std::size_t size = std::min<std::uint64_t>(of.left, bytes.size());
        bytes.remove_prefix(size);
        of.left -= size;
        if (of.left != 0) break;
        if (of.now == state::chunk) {
          of.now = state::chunk_end;
        } else {
          message_ended(of);
        }
        break;
      }
      case state::to_end:
        return {};
      case state::frames:
        return of.frames->check(bytes);
      case state::over:
        wrong = "bytes after the last message of the connection";
        break;
      default:
        wrong = take_line(from, bytes);
    }
  }
  return wrong.empty() ? wrong : "HTTP: " + wrong;
}

std::string http_wire::take_line(end from, std::string_view& bytes) {
  half& of = from == end::client ? client_ : server_;
  const char c = bytes.front();
  bytes.remove_prefix(1);
  if (of.now == state::start && of.line.empty()) {
    if (from == end::client && !unanswered_.empty() && unanswered_.back().upgrades) return "bytes before the 101";
    if (from == end::client && c == '\r') return "an empty line before a request";
  }
  if (c == '\n') {
    if (!of.line.ends_with('\r')) return "a line without a CR after " + shown(of.line);
    of.line.pop_back();
    return line_ended(from, std::exchange(of.line, {}));
  }
  if (of.line.ends_with('\r')) return "a CR without an LF after " + shown(of.line);
  const auto code = static_cast<unsigned char>(c);
  if ((code < 32 && c != '\t' && c != '\r') || code == 127) return "a control character after " + shown(of.line);
  of.line += c;
  return of.line.size() > max_line ? "an endless line" : "";
}

std::string http_wire::line_ended(end from, std::string_view line) {
  half& of = from == end::client ? client_ : server_;
  switch (of.now) {
    case state::start:
      of.now = state::fields;
      return from == end::client ? check_request_line(line) : check_status_line(line);
    case state::fields:
      return line.empty() ? head_ended(from) : check_field(of, line);
    case state::chunk_size: {
      const auto size = number_in(trimmed(line.substr(0, line.find(';'))), 16);
      if (!size) return "the size of a chunk is " + shown(line);
      of.left = *size;
      of.now = of.left == 0 ? state::trailer : state::chunk;
      return {};
    }
    case state::chunk_end:
      of.now = state::chunk_size;
      return line.empty() ? "" : "a chunk that does not end after its size, but with " + shown(line);
    default:
      if (!line.empty()) return check_field(of, line);
      message_ended(of);
      return {};
  }
}

std::string http_wire::check_request_line(std::string_view line) {
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return "the request line " + shown(line);
  const std::string_view target = line.substr(first + 1, last - first - 1);
  const bool is_target = !target.empty() && std::ranges::all_of(target, [](char c) { return c > ' ' && c < 127; });
  const std::string_view version = line.substr(last + 1);
  if (!is_token(line.substr(0, first)) || !is_target || (version != "HTTP/1.1" && version != "HTTP/1.0")) {
    return "the request line " + shown(line);
  }
  client_.method = line.substr(0, first);
  return {};
}

std::string http_wire::check_status_line(std::string_view line) {
  const auto status = line.size() < 12 ? std::nullopt : number_in(line.substr(9, 3), 10);
  if (!line.starts_with("HTTP/1.1 ") || !status || *status < 100 || *status > 599 ||
      (line.size() > 12 && line[12] != ' ')) {
    return "the status line " + shown(line);
  }
  server_.status = static_cast<int>(*status);
  // A server may refuse a request that it has not received as a whole.
  if (unanswered_.empty() && server_.status < 400) return "a response without a request: " + shown(line);
  return {};
}

std::string http_wire::check_field(half& of, std::string_view line) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) return "the field line " + shown(line);
  if (of.now == state::trailer) return {};
  const std::string name = lower(line.substr(0, colon));
  const std::string value = lower(trimmed(line.substr(colon + 1)));
  if (name == "content-length") {
    const auto length = number_in(value, 10);
    if (!length || (of.length && of.length != length)) return "the length " + shown(value);
    of.length = length;
  }
  if (name == "transfer-encoding") {
    if (value != "chunked" || of.is_chunked) return "the transfer coding " + shown(value);
    of.is_chunked = true;
  }
  if (name == "connection" && value.find("close") != std::string::npos) of.closes = true;
  if (name == "upgrade" && value == "websocket") of.upgrades = true;
  if (name == "sec-websocket-extensions" && value.starts_with("permessage-deflate")) of.compresses = true;
  if (name == "host") ++of.hosts;
  return {};
}

std::string http_wire::head_ended(end from) {
  half& of = from == end::client ? client_ : server_;
  if (of.length && of.is_chunked) return "a length and chunks";
  if (from == end::server) return response_head_ended();
  if (of.hosts != 1) return "a request with " + std::to_string(of.hosts) + " Host fields";
  unanswered_.push_back({.method = of.method, .upgrades = of.upgrades});
  choose_body(of, false);
  return {};
}

std::string http_wire::response_head_ended() {
  half& of = server_;
  const bool has_length = of.length || of.is_chunked;
  if (of.status == 101) {
    if (!unanswered_.front().upgrades) return "a 101 that was not requested";
    if (has_length) return "a 101 with a body";
    client_.frames.emplace(true, of.compresses);
    server_.frames.emplace(false, of.compresses);
    client_.now = server_.now = state::frames;
    return {};
  }
  if (of.status < 200) {
    if (has_length) return "an interim response with a body";
    message_ended(of);
    return {};
  }
  if (of.status == 204 && has_length) return "a 204 with a body";
  const bool is_early = unanswered_.empty();
  const request answered = is_early ? request{} : unanswered_.front();
  if (!is_early) unanswered_.pop_front();
  if (is_early) of.closes = true;
  if (answered.method == "HEAD" || of.status == 204 || of.status == 304) {
    message_ended(of);
  } else {
    choose_body(of, true);
  }
  return {};
}

void http_wire::choose_body(half& of, bool may_last_to_end) const {
  if (of.is_chunked) {
    of.now = state::chunk_size;
  } else if (of.length.value_or(0) != 0) {
    of.left = *of.length;
    of.now = state::body;
  } else if (!of.length && may_last_to_end) {
    of.now = state::to_end;
  } else {
    message_ended(of);
  }
}

void http_wire::message_ended(half& of) {
  const bool is_over = of.closes && of.status / 100 != 1;
  of = half{};
  if (is_over) of.now = state::over;
}

}  // namespace tare::testing
