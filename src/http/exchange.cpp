#include "http/exchange.hpp"

#include "http/characters.hpp"
#include "http/server_core.hpp"

#include <tare/http/status.hpp>
#include <tare/sleep.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <stdexcept>
#include <utility>

namespace tare::http::detail {

namespace {

// A body up to this size is copied into one buffer with the head; beyond it, copying costs more than a second piece.
constexpr std::size_t most_copied = 16U << 10U;
// A client has `write_timeout` for each piece: smaller pieces would waste work, larger ones would cut off slow clients.
constexpr std::size_t max_piece_bytes = 64U << 10U;
// The maximum size of an unwanted body to skip, and the time to wait for it; beyond these, closing is cheaper.
constexpr std::size_t most_skipped = 256U << 10U;
constexpr std::chrono::nanoseconds max_skip_time = std::chrono::seconds(1);

std::span<const std::byte> bytes_of(std::string_view text) noexcept { return std::as_bytes(std::span(text)); }

/// The error of a non-blocking read that finds nothing, or is not supported.
bool is_to_be_waited_for(std::error_code error) noexcept {
  return error == std::errc::operation_would_block || error == std::errc::operation_not_supported;
}

void append_number(std::string& to, std::uint64_t number, int base = 10) {
  std::array<char, 20> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number, base).ptr;
  to.append(digits.data(), end);
}

}  // namespace

exchange::exchange(transport connection, server_core& server) noexcept
    : connection_(connection), server_(server), reader_(server.limits()) {
  server_.enter(*this);
  moved_ = server_.sweeps();
}

exchange::~exchange() {
  if (guard != nullptr) server_.end_handler(*this);
  server_.leave(*this);
}

void exchange::next() noexcept {
  drop_piece();
  share_.release();
  admitted_bytes_ = reserved_bytes_ = body_bytes_ = 0;
  admitted_ = true;
  reader_.next(server_.limits());
  fields_.clear();
  refusal_.reset();
  read_error_ = {};
  route_ = {};
  status_ = 200;
  stage_ = stage::open;
  waited_ = {};
  skipping_ = until_close_ = chunked_ = counted_ = continue_due_ = body_complete_ = head_limited_ = timed_out = false;
}

// --- memory ---------------------------------------------------------------------------------------------------------

class exchange::peer_wait {
 public:
  explicit peer_wait(exchange& of) noexcept : of_(of) { of_.waits_for_peer_ = true; }
  peer_wait(const peer_wait&) = delete;
  peer_wait& operator=(const peer_wait&) = delete;
  ~peer_wait() { of_.waits_for_peer_ = false; }

 private:
  exchange& of_;
};

std::size_t exchange::held_bytes() const noexcept {
  constexpr std::size_t buffer_bytes = 8192;
  return frames_bytes + reader_.held_bytes() + (input_.empty() && !reads_ ? 0 : buffer_bytes) +
         connection_.buffered_bytes() + std::max({admitted_bytes_, reserved_bytes_, body_bytes_});
}

bool exchange::account() noexcept {
  memory_budget* const budget = server_.budget();
  if (budget == nullptr || !admitted_) return true;
  const std::size_t bytes = held_bytes();
  bool fits = true;
  if (share_) {
    share_.shrink_to(bytes);
    fits = share_.try_grow_to(bytes);
  } else {
    share_ = budget->try_admit(bytes);
    fits = static_cast<bool>(share_);
  }
  if (!fits) (void)server_.make_room();
  return fits;
}

task<bool> exchange::wait_for_room() { co_return co_await share_.resize(held_bytes(), server_.options().room_timeout); }

exchange::arrival exchange::refuse_head() noexcept {
  reader_.drop_head();
  share_.release();
  admitted_ = keep_ = false;
  return arrival::refused;
}

void exchange::refuse_for_memory() {
  constexpr std::string_view why = "busy: try again later\n";
  if (!body_complete_ || has_input()) keep_ = false;
  status_ = 503;
  fields_.add("retry-after", "1").add("content-type", "text/plain");
  compose_head(server_.scratch(), why.size());
  const auto sent = try_send_scratch(may_have_body() ? why : std::string_view());
  if (!sent || !*sent) {
    (void)fail(std::make_error_code(std::errc::not_enough_memory));
    return;
  }
  stage_ = stage::complete;
}

exchange::arrival exchange::accept_head() noexcept {
  connection_.expires_never(net::direction::read);
  keep_ = head().keep_alive && !server_.draining();
  body_complete_ = !reader_.has_body();
  // A client that has begun to send its body does not wait (RFC 9110, 10.1.1).
  continue_due_ = head().expects_continue && input_.empty();
  admitted_ = account();
  if (!admitted_ && server_.is_urgent(head().path)) {
    share_ = server_.budget()->try_admit_urgent(held_bytes());
    admitted_ = static_cast<bool>(share_);
  }
  if (!admitted_) share_.release();
  return arrival::head;
}

std::error_code exchange::refuse_body() noexcept {
  refusal_ = {.status = 503, .why = "busy: try again later"};
  keep_ = false;
  return std::make_error_code(std::errc::not_enough_memory);
}

task<bool> exchange::reserve(std::size_t bytes) {
  const std::size_t reserved = std::exchange(reserved_bytes_, bytes);
  const std::size_t body = std::exchange(body_bytes_, 0);
  if (account()) co_return true;
  const bool fits = co_await wait_for_room();
  if (!fits) {
    reserved_bytes_ = reserved;
    body_bytes_ = body;
  }
  co_return fits;
}

bool exchange::try_reserve_all(std::size_t bytes) noexcept {
  if (server_.budget() == nullptr) return true;
  server_.budget()->keep_reserve(bytes);
  admitted_bytes_ = std::max(admitted_bytes_, bytes);
  if (share_.try_grow_for_good(held_bytes())) return true;
  admitted_bytes_ = 0;
  (void)server_.make_room();
  return false;
}

bool exchange::try_hold_body(std::size_t bytes) noexcept {
  body_bytes_ = bytes;
  return account();
}

task<bool> exchange::hold_body(std::size_t bytes) {
  const std::size_t before = body_bytes_;
  if (try_hold_body(bytes)) co_return true;
  const bool fits = co_await wait_for_room();
  if (!fits) body_bytes_ = before;
  co_return fits;
}

void exchange::become_lasting() noexcept {
  admitted_bytes_ = 0;
  share_.keep_from_reserve();
  (void)account();
}

void exchange::note_progress() noexcept { moved_ = server_.sweeps(); }

bool exchange::is_stalled() const noexcept {
  // A WebSocket that holds nothing may stay silent.
  const bool is_silent = upgraded_ && body_bytes_ == 0;
  return waits_for_peer_ && !shed_ && !is_silent && server_.sweeps() - moved_ >= 2;
}

void exchange::shed() noexcept {
  shed_ = true;
  keep_ = false;
  connection_.expires_after(std::chrono::nanoseconds(0));
}

// --- reading --------------------------------------------------------------------------------------------------------

std::string_view exchange::input_text() const noexcept {
  const auto bytes = input_.bytes();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

void exchange::drop_piece() noexcept { input_.consume(std::exchange(piece_bytes_, 0)); }

net::lease exchange::take_input() noexcept {
  drop_piece();
  return std::move(input_);
}

std::optional<exchange::arrival> exchange::try_read_head() {
  for (;;) {
    if (!input_.empty()) {
      const auto reached = reader_.feed(input_text());
      input_.consume(reader_.consumed());
      if (reached == request_reader::progress::head) return accept_head();
      if (reached == request_reader::progress::refused) {
        refusal_ = reader_.why();
        reader_.drop_head();
        return arrival::refused;
      }
      if (!account()) return refuse_head();
      // Only a head that does not arrive completely with its first bytes needs a timeout.
      if (!std::exchange(head_limited_, true)) {
        connection_.expires_after(server_.options().head_timeout, net::direction::read);
      }
    }
    auto more = connection_.try_read();
    if (!more && is_to_be_waited_for(more.error())) {
      // Part of a record counts as the beginning of a head, whatever it contains.
      const bool has_begun = head_limited_ || connection_.buffered_bytes() != 0;
      if (!has_begun && more.error() == std::errc::operation_would_block) return arrival::none;
      if (has_begun && !account()) return refuse_head();
      if (has_begun && !std::exchange(head_limited_, true))
        connection_.expires_after(server_.options().head_timeout, net::direction::read);
      return std::nullopt;
    }
    if (const auto ended = take_for_head(more)) return ended;
  }
}

task<exchange::arrival> exchange::read_head() {
  for (;;) {
    if (const auto arrived = try_read_head()) co_return *arrived;
    const peer_wait waiting(*this);
    auto more = co_await connection_.read();
    if (const auto ended = take_for_head(more)) co_return *ended;
  }
}

std::optional<exchange::arrival> exchange::take_for_head(net::result<net::lease>& got) noexcept {
  if (got && !got->empty()) {
    note_progress();
    input_ = std::move(*got);
    return std::nullopt;
  }
  if (shed_) return arrival::over;
  if (got || got.error() != std::errc::timed_out || !reader_.under_way()) return arrival::over;
  refusal_ = {.status = 408, .why = "the head of the request took too long"};
  reader_.drop_head();
  return arrival::refused;
}

task<result<std::span<const std::byte>>> exchange::read_body() {
  drop_piece();
  if (read_error_) co_return std::unexpected(read_error_);
  while (!body_complete_) {
    // Without bytes only for a body whose announced length is too large; otherwise nothing is refused before its bytes
    // arrive.
    const auto reached = reader_.feed(input_text());
    switch (reached) {
      case request_reader::progress::data:
        piece_bytes_ = reader_.consumed();
        co_return bytes_of(reader_.data());
      case request_reader::progress::complete:
        input_.consume(reader_.consumed());
        body_complete_ = true;
        co_return std::span<const std::byte>();
      case request_reader::progress::refused:
        refusal_ = reader_.why();
        read_error_ = refusal_->status == 413 ? errc::body_too_large : errc::malformed;
        keep_ = false;
        co_return std::unexpected(read_error_);
      default:
        input_.consume(reader_.consumed());
        break;
    }
    if (continue_due_ && stage_ == stage::open) {
      server_.scratch().assign("HTTP/1.1 100 Continue\r\n\r\n");
      auto sent = co_await send_scratch({});
      if (!sent) co_return std::unexpected(read_error_ = sent.error());
      stage_ = stage::open;
      continue_due_ = false;
    }
    auto more = co_await read_admitted(time_for_body());
    if (!more && more.error() == std::errc::not_enough_memory) co_return std::unexpected(read_error_ = refuse_body());
    if (!more || more->empty()) {
      keep_ = false;
      read_error_ = more ? make_error_code(errc::truncated) : more.error();
      if (!more && more.error() == std::errc::timed_out) {
        refusal_ = {.status = 408, .why = "the body of the request took too long"};
        read_error_ = errc::too_slow;
      } else if (more) {
        refusal_ = {.status = 400, .why = "the body of the request was cut off"};
      }
      co_return std::unexpected(read_error_);
    }
    connection_.expires_never(net::direction::read);
    continue_due_ = false;
    note_progress();
    input_ = std::move(*more);
  }
  co_return std::span<const std::byte>();
}

task<net::result<net::lease>> exchange::read_admitted(std::chrono::nanoseconds limit) {
  for (;;) {
    reads_ = true;
    bool fits = account();
    if (!fits) fits = co_await wait_for_room();
    reads_ = false;
    if (!fits) co_return std::unexpected(std::make_error_code(std::errc::not_enough_memory));
    auto more = connection_.try_read();
    if (more || !is_to_be_waited_for(more.error())) co_return more;
    (void)account();
    const peer_wait waiting(*this);
    const auto begun = now();
    connection_.expires_after(limit, net::direction::read);
    if (more.error() == std::errc::operation_not_supported) {
      more = co_await connection_.read();
      waited_ += now() - begun;
      co_return more;
    }
    auto ready = co_await connection_.readable();
    if (!ready) co_return std::unexpected(ready.error());
    // What has arrived may be only part of a record, which does not restart the timeout.
    const std::chrono::nanoseconds took = now() - begun;
    waited_ += took;
    limit = std::max(limit - took, std::chrono::nanoseconds(1));
  }
}

task<result<std::string>> exchange::read_whole_body() {
  std::string whole;
  const std::size_t before = body_bytes_;
  for (;;) {
    auto piece = co_await read_body();
    if (!piece) co_return std::unexpected(piece.error());
    if (piece->empty()) co_return whole;
    const std::size_t needed = whole.size() + piece->size();
    if (needed > whole.capacity()) {
      // Twice the previous size, but at most the announced length; both buffers briefly exist.
      std::size_t next = std::max(needed, whole.capacity() * 2);
      if (!head().chunked) next = std::max(needed, std::min<std::size_t>(next, head().length));
      const bool fits = co_await hold_body(before + whole.capacity() + next);
      if (!fits) co_return std::unexpected(read_error_ = refuse_body());
      whole.reserve(next);
      (void)try_hold_body(before + whole.capacity());
    }
    whole.append(reinterpret_cast<const char*>(piece->data()), piece->size());
  }
}

task<bool> exchange::skip_body() {
  if (body_complete_) co_return true;
  // A client that still waits for "100 Continue" may or may not send the body, so what follows is ambiguous.
  if (continue_due_ || read_error_) co_return false;
  skipping_ = true;
  waited_ = {};
  std::size_t skipped = 0;
  while (skipped <= most_skipped) {
    auto piece = co_await read_body();
    if (!piece) co_return false;
    if (piece->empty()) co_return true;
    skipped += piece->size();
  }
  co_return false;
}

std::chrono::nanoseconds exchange::time_for_body() const noexcept {
  using std::chrono::nanoseconds;
  const server_options& options = server_.options();
  nanoseconds left = options.body_timeout;
  if (skipping_) {
    left = std::min<nanoseconds>(left, max_skip_time - waited_);
  } else if (options.body_min_rate != 0 && left != nanoseconds::max()) {
    const double earned = static_cast<double>(reader_.body_bytes()) / static_cast<double>(options.body_min_rate);
    constexpr double max_seconds = 1e9;  // more would overflow
    const auto whole = std::chrono::duration<double>(std::min(earned, max_seconds));
    left = std::min(left, left + std::chrono::duration_cast<nanoseconds>(whole) - waited_);
  }
  return std::max(left, nanoseconds(1));
}

void exchange::set_status(unsigned status) {
  if (status < 200 || status > 599)
    throw std::invalid_argument("tare::http::response: a status must be from 200 to 599");
  // It decides whether there is a body, so it cannot change after the head has been sent.
  if (stage_ == stage::open) status_ = static_cast<std::uint16_t>(status);
}

result<void> exchange::fail(std::error_code error) noexcept {
  stage_ = stage::failed;
  keep_ = false;
  return std::unexpected(error);
}

bool exchange::may_have_body() const noexcept { return !has_no_body(status_) && head().method != "HEAD"; }

void exchange::compose_head(std::string& into, std::optional<std::uint64_t> length) {
  if (status_ == 200) {
    into.assign("HTTP/1.1 200 OK\r\n");
  } else {
    into.assign("HTTP/1.1 ");
    append_number(into, status_);
    into.append(" ").append(reason_phrase(status_)).append("\r\n");
  }
  if (server_.options().send_date) into.append(server_.date_line());
  into.append(fields_.view().text());
  if (has_no_body(status_)) {
    // Neither a length nor a coding.
  } else if (length) {
    into.append("content-length: ");
    append_number(into, *length);
    into.append("\r\n");
  } else if (head().minor_version > 0) {
    into.append("transfer-encoding: chunked\r\n");
  } else {
    keep_ = false;  // HTTP/1.0: the end of the connection ends the body
    until_close_ = true;
  }
  // A client that did not get "100 Continue" may or may not send its body, so the connection cannot be reused.
  if (continue_due_ || server_.draining()) keep_ = false;
  if (!keep_) {
    into.append("connection: close\r\n");
  } else if (head().minor_version == 0) {
    into.append("connection: keep-alive\r\n");
  }
  into.append("\r\n");
}

std::optional<result<void>> exchange::try_send_scratch(std::string_view body) {
  std::string& scratch = server_.scratch();
  const bool together = body.size() <= most_copied;
  if (together) scratch.append(body);
  stage_ = stage::failed;
  connection_.expires_never(net::direction::write);
  const auto written = connection_.try_write(bytes_of(scratch));
  if (!written) return fail(written.error());
  sent_ = *written;
  if (sent_ == scratch.size() && (together || body.empty())) return result<void>();
  return std::nullopt;
}

task<result<void>> exchange::send_rest(std::string_view body) {
  const peer_wait waiting(*this);
  // When this suspends, the next response may use the scratch buffer.
  const std::string rest = server_.scratch().substr(sent_);
  const bool together = body.size() <= most_copied;
  const std::array<std::span<const std::byte>, 2> list{bytes_of(rest),
                                                       together ? std::span<const std::byte>() : bytes_of(body)};
  for (std::span<const std::byte> left : list) {
    while (!left.empty()) {
      // A client whose connection must make room accepts the response immediately or not at all.
      if (shed_) co_return fail(std::make_error_code(std::errc::not_enough_memory));
      const std::array<std::span<const std::byte>, 1> piece{left.first(std::min(left.size(), max_piece_bytes))};
      connection_.expires_after(server_.options().write_timeout, net::direction::write);
      auto sent = co_await connection_.write(piece);
      if (!sent) co_return fail(sent.error());
      note_progress();
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
  compose_head(server_.scratch(), body.size());
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
  chunked_ = !counted_ && head().minor_version > 0;
  if (!counted_) become_lasting();
  compose_head(server_.scratch(), length);
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
  std::string& scratch = server_.scratch();
  scratch.clear();
  if (!chunked_) co_return co_await send_scratch(piece);
  append_number(scratch, piece.size(), 16);
  scratch.append("\r\n");
  if (piece.size() <= most_copied) {
    scratch.append(piece).append("\r\n");
    co_return co_await send_scratch({});
  }
  auto sent = co_await send_scratch(piece);
  if (!sent) co_return sent;
  server_.scratch().assign("\r\n");
  co_return co_await send_scratch({});
}

task<result<void>> exchange::finish() {
  if (stage_ == stage::complete) co_return {};
  if (stage_ == stage::failed) co_return std::unexpected(errc::already_sent);
  if (stage_ == stage::open) co_return co_await send({});
  if (counted_ && left_ != 0) co_return fail(errc::wrong_length);
  if (chunked_ && may_have_body()) {
    server_.scratch().assign("0\r\n\r\n");
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
  status_ = static_cast<std::uint16_t>(status);
  fields_.clear();
  fields_.add("content-type", "text/plain");
  if (read_error_ == std::errc::not_enough_memory) fields_.add("retry-after", "1");
  std::string text(why);
  text += '\n';
  co_return co_await send(text);
}

task<result<void>> exchange::upgrade(const fields& with) {
  if (stage_ != stage::open) co_return std::unexpected(errc::already_sent);
  if (guard != nullptr) guard->stop_watching();
  become_lasting();
  keep_ = false;
  std::string& scratch = server_.scratch();
  scratch.assign("HTTP/1.1 101 Switching Protocols\r\n");
  if (server_.options().send_date) scratch.append(server_.date_line());
  scratch.append(with.view().text()).append("\r\n");
  auto sent = co_await send_scratch({});
  if (sent) {
    stage_ = stage::complete;
    upgraded_ = goodbye_due_ = true;
  }
  co_return sent;
}

task<result<void>> exchange::send_raw(std::span<const std::byte> head, std::string_view payload) {
  if (stage_ != stage::complete) co_return std::unexpected(errc::already_sent);
  server_.scratch().assign(reinterpret_cast<const char*>(head.data()), head.size());
  auto sent = co_await send_scratch(payload);
  if (sent) stage_ = stage::complete;
  co_return sent;
}

}  // namespace tare::http::detail
