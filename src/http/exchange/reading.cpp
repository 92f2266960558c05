// The incoming half of an exchange: the head of a request, and its body.

#include "http/exchange.hpp"
#include "http/server_core.hpp"

#include <tare/sleep.hpp>

#include <algorithm>
#include <chrono>
#include <utility>

namespace tare::http::detail {

namespace {

// The maximum size of an unwanted body to skip, and the time to wait for it; beyond these, closing is cheaper.
constexpr std::size_t max_skipped = 256U << 10U;

constexpr std::chrono::nanoseconds max_skip_time = std::chrono::seconds(1);

/// The error of a non-blocking read that finds nothing, or is not supported.
bool must_wait_for(std::error_code error) noexcept {
  return error == std::errc::operation_would_block || error == std::errc::operation_not_supported;
}

}  // namespace

void exchange::take_in(net::lease got) {
  if (!intake_) intake_ = server().make_intake();
  intake_->input = std::move(got);
}

void exchange::drop_intake() noexcept {
  if (intake_) server().keep_intake(std::move(intake_));
}

void exchange::complete_body() noexcept {
  body_complete_ = true;
  if (has_input()) return;
  drop_intake();
  (void)account();
}

net::lease exchange::take_input() noexcept {
  if (!intake_) return {};
  intake_->drop_piece();
  net::lease taken = std::move(intake_->input);
  drop_intake();
  return taken;
}

void exchange::limit_head() noexcept {
  // Only a head that does not arrive completely with its first bytes needs a timeout.
  if (!head_limited_) connection_.expires_after(server().options().head_timeout, net::direction::read);
  head_limited_ = true;
}

std::optional<exchange::arrival> exchange::try_read_head() {
  for (;;) {
    if (has_input()) {
      request_reader& reader = intake_->reader;
      const auto reached = reader.feed(intake_->text());
      intake_->input.consume(reader.consumed());
      if (reached == request_reader::progress::head) return accept_head();
      if (reached == request_reader::progress::refused) {
        intake_->why = reader.why();
        reader.drop_head();
        return arrival::refused;
      }
      if (!account_for_partial_head()) return refuse_head();
      limit_head();
    }
    auto more = connection_.try_read();
    if (!more && must_wait_for(more.error())) {
      // Part of a record counts as the beginning of a head, whatever it contains.
      const bool has_begun = head_limited_ || connection_.buffered_bytes() != 0;
      if (!has_begun && more.error() == std::errc::operation_would_block) return arrival::none;
      if (has_begun && !account_for_partial_head()) return refuse_head();
      if (has_begun) limit_head();
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

std::optional<exchange::arrival> exchange::take_for_head(net::result<net::lease>& got) {
  if (got && !got->empty()) {
    note_progress();
    take_in(std::move(*got));
    return std::nullopt;
  }
  if (shed_) return arrival::over;
  const bool under_way = intake_ && intake_->reader.under_way();
  if (got || got.error() != std::errc::timed_out || !under_way) return arrival::over;
  intake_->why = {.status = 408, .why = "the head of the request took too long"};
  intake_->reader.drop_head();
  return arrival::refused;
}

task<result<std::span<const std::byte>>> exchange::read_body() {
  if (intake_) {
    intake_->drop_piece();
    if (intake_->read_error) co_return std::unexpected(intake_->read_error);
  }
  while (!body_complete_) {
    // Without bytes only for a body whose announced length is too large; otherwise nothing is refused before its bytes
    // arrive.
    request_reader& reader = intake_->reader;
    const auto reached = reader.feed(intake_->text());
    switch (reached) {
      case request_reader::progress::data:
        intake_->piece_bytes = reader.consumed();
        co_return std::as_bytes(std::span(reader.data()));
      case request_reader::progress::complete:
        intake_->input.consume(reader.consumed());
        complete_body();
        co_return std::span<const std::byte>();
      case request_reader::progress::refused:
        co_return std::unexpected(fail_body(
            reader.why().status == 413 ? make_error_code(errc::body_too_large) : make_error_code(errc::malformed),
            reader.why()));
      default:
        intake_->input.consume(reader.consumed());
        break;
    }
    if (continue_due_ && stage_ == stage::open) {
      server().scratch().assign("HTTP/1.1 100 Continue\r\n\r\n");
      auto sent = co_await send_scratch({});
      if (!sent) co_return std::unexpected(intake_->read_error = sent.error());
      stage_ = stage::open;
      continue_due_ = false;
    }
    auto more = co_await read_admitted(time_for_body());
    if (!more || more->empty()) co_return std::unexpected(fail_body_with(more));
    connection_.expires_never(net::direction::read);
    continue_due_ = false;
    note_progress();
    intake_->input = std::move(*more);
  }
  co_return std::span<const std::byte>();
}

std::error_code exchange::fail_body_with(const net::result<net::lease>& got) noexcept {
  if (got) {
    return fail_body(errc::truncated, refusal{.status = 400, .why = "the body of the request was cut off"});
  }
  if (got.error() == std::errc::not_enough_memory) return refuse_body();
  if (got.error() == std::errc::timed_out) {
    return fail_body(errc::too_slow, refusal{.status = 408, .why = "the body of the request took too long"});
  }
  return fail_body(got.error(), intake_->why);
}

task<net::result<net::lease>> exchange::read_admitted(std::chrono::nanoseconds limit) {
  for (;;) {
    bool fits = false;
    {
      const buffer_wait counted(*this);
      fits = account();
      if (!fits) fits = co_await wait_for_room();
    }
    if (!fits) co_return std::unexpected(std::make_error_code(std::errc::not_enough_memory));
    auto more = connection_.try_read();
    if (more || !must_wait_for(more.error())) co_return more;
    (void)account();
    const peer_wait waiting(*this);
    const auto begun = now();
    connection_.expires_after(limit, net::direction::read);
    if (more.error() == std::errc::operation_not_supported) {
      more = co_await connection_.read();
      count_wait(now() - begun);
      co_return more;
    }
    auto ready = co_await connection_.readable();
    if (!ready) co_return std::unexpected(ready.error());
    // What has arrived may be only part of a record, which does not restart the timeout.
    const std::chrono::nanoseconds took = now() - begun;
    count_wait(took);
    limit = std::max(limit - took, std::chrono::nanoseconds(1));
  }
}

void exchange::count_wait(std::chrono::nanoseconds took) noexcept {
  if (intake_) intake_->waited += took;
}

task<result<std::string>> exchange::read_whole_body() {
  const std::size_t before = body_bytes_;
  growth assembled(*this);
  std::string whole;
  for (;;) {
    auto piece = co_await read_body();
    if (!piece) co_return std::unexpected(piece.error());
    if (piece->empty()) {
      assembled.admitted = true;
      co_return whole;
    }
    const std::size_t needed = whole.size() + piece->size();
    if (needed > whole.capacity()) {
      // Twice the previous size, but at most the announced length; both buffers briefly exist.
      std::size_t next = std::max(needed, whole.capacity() * 2);
      const request_reader& reader = intake_->reader;
      if (!reader.head().chunked) next = std::max(needed, std::min<std::size_t>(next, reader.head().length));
      const bool fits = co_await hold_body(before + whole.capacity() + next);
      if (!fits) co_return std::unexpected(refuse_body());
      whole.reserve(next);
      (void)try_hold_body(before + whole.capacity());
    }
    whole.append(reinterpret_cast<const char*>(piece->data()), piece->size());
  }
}

task<bool> exchange::skip_body() {
  if (body_complete_) co_return true;
  // A client that still waits for "100 Continue" may or may not send the body, so what follows is ambiguous.
  if (continue_due_ || intake_->read_error) co_return false;
  intake_->skipping = true;
  intake_->waited = {};
  std::size_t skipped = 0;
  while (skipped <= max_skipped) {
    auto piece = co_await read_body();
    if (!piece) co_return false;
    if (piece->empty()) co_return true;
    skipped += piece->size();
  }
  co_return false;
}

std::chrono::nanoseconds exchange::time_for_body() const noexcept {
  using std::chrono::nanoseconds;
  const server_options& options = server().options();
  nanoseconds left = options.body_timeout;
  if (intake_->skipping) {
    left = std::min<nanoseconds>(left, max_skip_time - intake_->waited);
  } else if (options.body_min_rate != 0 && left != nanoseconds::max()) {
    const double earned =
        static_cast<double>(intake_->reader.body_bytes()) / static_cast<double>(options.body_min_rate);
    constexpr double max_seconds = 1e9;  // more would overflow
    const auto whole = std::chrono::duration<double>(std::min(earned, max_seconds));
    left = std::min(left, left + std::chrono::duration_cast<nanoseconds>(whole) - intake_->waited);
  }
  return std::max(left, nanoseconds(1));
}

}  // namespace tare::http::detail
