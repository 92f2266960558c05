// The outgoing half of an exchange: the response.

#include "http/characters.hpp"
#include "http/exchange.hpp"
#include "http/server_core.hpp"

#include <tare/http/status.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <stdexcept>
#include <utility>

namespace tare::http::detail {

namespace {

// A body up to this size is copied into one buffer with the head; beyond it, copying costs more than a second piece.
constexpr std::size_t max_copied = 16U << 10U;

// A client has `write_timeout` for each piece: smaller pieces would waste work, larger ones would cut off slow clients.
constexpr std::size_t max_piece_bytes = 64U << 10U;

std::span<const std::byte> bytes_of(std::string_view text) noexcept { return std::as_bytes(std::span(text)); }

void append_number(std::string& to, std::uint64_t number, int base = 10) {
  std::array<char, 20> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number, base).ptr;
  to.append(digits.data(), end);
}

}  // namespace

void exchange::set_status(unsigned status) {
  if (status < 200 || status > 599)
    throw std::invalid_argument("tare::http::response: a status must be from 200 to 599");
  // It decides whether there is a body, so it cannot change after the head has been sent.
  if (stage_ == stage::open) status_ = static_cast<std::uint16_t>(status & 0x3FFU);
}

result<void> exchange::fail(std::error_code error) noexcept {
  stage_ = stage::failed;
  keep_ = false;
  // What has been cut off already has another cause.
  if (access_note* const log = note(); log != nullptr && error != errc::already_sent) log->note_error(error);
  return std::unexpected(error);
}

bool exchange::may_have_body() const noexcept { return !has_no_body(status_) && !is_head_; }

void exchange::compose_head(std::string& out, std::optional<std::uint64_t> length) {
  if (status_ == 200) {
    out.assign("HTTP/1.1 200 OK\r\n");
  } else {
    out.assign("HTTP/1.1 ");
    append_number(out, status_);
    out.append(" ").append(reason_phrase(status_)).append("\r\n");
  }
  if (server().options().send_date) out.append(server().date_line());
  out.append(sent_fields().text());
  if (has_no_body(status_)) {
    // Neither a length nor a coding.
  } else if (length) {
    out.append("content-length: ");
    append_number(out, *length);
    out.append("\r\n");
  } else if (!is_http_1_0_) {
    out.append("transfer-encoding: chunked\r\n");
  } else {
    keep_ = false;  // HTTP/1.0: the end of the connection ends the body
    until_close_ = true;
  }
  // A client that did not get "100 Continue" may or may not send its body, so the connection cannot be reused.
  if (continue_due_ || group_.draining()) keep_ = false;
  if (!keep_) {
    out.append("connection: close\r\n");
  } else if (is_http_1_0_) {
    out.append("connection: keep-alive\r\n");
  }
  out.append("\r\n");
}

std::optional<result<void>> exchange::try_send_scratch(std::string_view body) {
  std::string& scratch = server().scratch();
  const bool together = body.size() <= max_copied;
  if (together) scratch.append(body);
  stage_ = stage::failed;
  connection_.expires_never(net::direction::write);
  const auto written = connection_.try_write(bytes_of(scratch));
  if (!written) return fail(written.error());
  note_sent(*written);
  if (*written == scratch.size() && (together || body.empty())) return result<void>();
  scratch.erase(0, *written);
  return std::nullopt;
}

task<result<void>> exchange::send_rest(std::string_view body) {
  const peer_wait waiting(*this);
  // When this suspends, the next response may use the scratch buffer.
  const std::string rest(server().scratch());
  const bool together = body.size() <= max_copied;
  const std::array<std::span<const std::byte>, 2> list{bytes_of(rest),
                                                       together ? std::span<const std::byte>() : bytes_of(body)};
  for (std::span<const std::byte> left : list) {
    while (!left.empty()) {
      // A client whose connection must make room accepts the response immediately or not at all.
      if (shed_) co_return fail(std::make_error_code(std::errc::not_enough_memory));
      const std::array<std::span<const std::byte>, 1> piece{left.first(std::min(left.size(), max_piece_bytes))};
      connection_.expires_after(server().options().write_timeout, net::direction::write);
      auto sent = co_await connection_.write(piece);
      if (!sent) co_return fail(sent.error());
      note_progress();
      note_sent(piece[0].size());
      left = left.subspan(piece[0].size());
    }
  }
  connection_.expires_never(net::direction::write);
  co_return {};
}

task<result<void>> exchange::send_scratch(std::string_view body) {
  if (auto sent = try_send_scratch(body)) co_return *sent;
  co_return co_await send_rest(body);
}

task<result<void>> exchange::send(std::string_view body) {
  if (stage_ != stage::open) co_return std::unexpected(errc::already_sent);
  compose_head(server().scratch(), body.size());
  if (!may_have_body()) body = {};
  auto sent = try_send_scratch(body);
  if (!sent) sent = co_await send_rest(body);
  if (*sent) stage_ = stage::complete;
  co_return *sent;
}

task<result<void>> exchange::start(std::optional<std::uint64_t> length) {
  if (stage_ != stage::open) co_return std::unexpected(errc::already_sent);
  counted_ = length.has_value();
  left_ = length.value_or(0);
  chunked_ = !counted_ && !is_http_1_0_;
  if (!counted_) become_lasting();
  compose_head(server().scratch(), length);
  auto sent = co_await send_scratch({});
  if (sent) stage_ = stage::streaming;
  co_return sent;
}

task<result<void>> exchange::write(std::string_view piece) {
  if (stage_ == stage::open) {
    if (auto begun = co_await start(std::nullopt); !begun) co_return begun;
  }
  if (stage_ != stage::streaming) co_return std::unexpected(errc::already_sent);
  if (piece.empty()) co_return {};
  if (counted_ && piece.size() > left_) co_return fail(errc::wrong_length);
  if (may_have_body()) {
    auto sent = co_await send_piece(piece);
    if (!sent) co_return sent;
  }
  if (counted_) left_ -= piece.size();
  stage_ = stage::streaming;
  co_return {};
}

task<result<void>> exchange::send_piece(std::string_view piece) {
  std::string& scratch = server().scratch();
  scratch.clear();
  if (!chunked_) co_return co_await send_scratch(piece);
  append_number(scratch, piece.size(), 16);
  scratch.append("\r\n");
  if (piece.size() <= max_copied) {
    scratch.append(piece).append("\r\n");
    co_return co_await send_scratch({});
  }
  auto sent = co_await send_scratch(piece);
  if (!sent) co_return sent;
  server().scratch().assign("\r\n");
  co_return co_await send_scratch({});
}

task<result<void>> exchange::finish() {
  if (stage_ == stage::complete) co_return {};
  if (stage_ == stage::failed) co_return std::unexpected(errc::already_sent);
  if (stage_ == stage::open) co_return co_await send({});
  if (counted_ && left_ != 0) co_return fail(errc::wrong_length);
  if (chunked_ && may_have_body()) {
    server().scratch().assign("0\r\n\r\n");
    auto sent = co_await send_scratch({});
    if (!sent) co_return sent;
  }
  stage_ = stage::complete;
  co_return {};
}

task<result<void>> exchange::send_instead(unsigned status, std::string_view why) {
  keep_ = false;
  if (stage_ == stage::complete) co_return std::unexpected(errc::already_sent);
  if (stage_ != stage::open) co_return fail(errc::already_sent);
  status_ = static_cast<std::uint16_t>(status & 0x3FFU);
  http::fields& ours = response_fields();
  ours.clear();
  ours.add("content-type", "text/plain");
  if (intake_ && intake_->read_error == std::errc::not_enough_memory) ours.add("retry-after", "1");
  std::string text(why);
  text += '\n';
  co_return co_await send(text);
}

task<result<void>> exchange::upgrade(const http::fields& with) {
  if (stage_ != stage::open) co_return std::unexpected(errc::already_sent);
  become_lasting();
  keep_ = false;
  std::string& scratch = server().scratch();
  scratch.assign("HTTP/1.1 101 Switching Protocols\r\n");
  if (server().options().send_date) scratch.append(server().date_line());
  scratch.append(with.view().text()).append("\r\n");
  auto sent = co_await send_scratch({});
  if (sent) {
    stage_ = stage::complete;
    upgraded_ = close_frame_due_ = true;
  }
  co_return sent;
}

}  // namespace tare::http::detail
