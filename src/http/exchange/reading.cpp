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
        connection_.expires_after(server().options().head_timeout, net::direction::read);
      }
    }
    auto more = connection_.try_read();
    if (!more && must_wait_for(more.error())) {
      // Part of a record counts as the beginning of a head, whatever it contains.
      const bool has_begun = head_limited_ || connection_.buffered_bytes() != 0;
      if (!has_begun && more.error() == std::errc::operation_would_block) return arrival::none;
      if (has_begun && !account()) return refuse_head();
      if (has_begun && !std::exchange(head_limited_, true))
        connection_.expires_after(server().options().head_timeout, net::direction::read);
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
        co_return std::as_bytes(std::span(reader_.data()));
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
      server().scratch().assign("HTTP/1.1 100 Continue\r\n\r\n");
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

}  // namespace tare::http::detail
