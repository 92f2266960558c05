// What an exchange holds of the memory budget.

#include "http/exchange.hpp"
#include "http/server_core.hpp"
#include "io/buffer_pool.hpp"

#include <tare/sleep.hpp>

#include <algorithm>
#include <utility>

namespace tare::http::detail {

std::size_t exchange::held_bytes() const noexcept {
  constexpr std::size_t buffer_bytes = tare::detail::buffer_pool::buffer_bytes;
  return frames_bytes + (head_ ? head_->bytes() : 0) + (note() != nullptr ? note()->bytes() : 0) +
         (intake_ ? reading_frames_bytes + intake_->held_bytes() : 0) + (has_input() || reads_ ? buffer_bytes : 0) +
         connection_.buffered_bytes() + std::max({admitted_bytes_, reserved_bytes_, body_bytes_});
}

bool exchange::account() noexcept {
  memory_budget* const budget = server().budget();
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
  if (!fits) (void)server().make_room();
  return fits;
}

bool exchange::take_urgent_share() noexcept {
  memory_budget& budget = *server().budget();
  memory_share urgent = budget.try_admit_urgent(held_bytes());
  if (!urgent && share_) {
    share_.release();  // which may make the room
    urgent = budget.try_admit_urgent(held_bytes());
  }
  share_ = std::move(urgent);
  return static_cast<bool>(share_);
}

bool exchange::account_for_partial_head() noexcept {
  const bool may_be_urgent = intake_ && server().may_be_urgent(intake_->reader.text());
  if (!may_be_urgent && server().end_urgent_head(*this)) share_.release();
  if (account()) return true;
  return may_be_urgent && server().begin_urgent_head(*this) && take_urgent_share();
}

task<bool> exchange::wait_for_room() {
  co_return co_await share_.resize(held_bytes(), server().options().room_timeout);
}

exchange::arrival exchange::refuse_head() noexcept {
  server().end_urgent_head(*this);
  drop_intake();
  share_.release();
  admitted_ = keep_ = false;
  return arrival::refused;
}

void exchange::refuse_for_memory() {
  constexpr std::string_view why = "busy: try again later\n";
  if (!body_complete_ || has_input()) keep_ = false;
  status_ = 503;
  response_fields().add("retry-after", "1").add("content-type", "text/plain");
  compose_head(server().scratch(), why.size());
  const auto sent = try_send_scratch(may_have_body() ? why : std::string_view());
  if (!sent || !*sent) {
    (void)fail(std::make_error_code(std::errc::not_enough_memory));
    return;
  }
  stage_ = stage::complete;
}

exchange::arrival exchange::accept_head() {
  connection_.expires_never(net::direction::read);
  const bool has_urgent_share = server().end_urgent_head(*this);
  const request_head& head = intake_->reader.head();
  head_ = stored_head::make(head);
  begin_log(head.method, head.target);
  is_http_1_0_ = head.minor_version == 0;
  is_head_ = head.method == "HEAD";
  keep_ = head.keep_alive && !group_.draining();
  body_complete_ = !intake_->reader.has_body();
  // A client that has begun to send its body does not wait (RFC 9110, 10.1.1).
  continue_due_ = head.expects_continue && !has_input();
  if (body_complete_ && !has_input()) {
    drop_intake();
  } else {
    intake_->reader.release_text();
  }
  memory_budget* const budget = server().budget();
  if (budget != nullptr && server().is_urgent(head_->path())) {
    // Even if there is room now, so that what the request holds later is urgent, too.
    admitted_ = has_urgent_share ? account() : take_urgent_share();
  } else {
    if (has_urgent_share) share_.release();
    admitted_ = account();
  }
  if (!admitted_) share_.release();
  return arrival::head;
}

std::error_code exchange::refuse_body() noexcept {
  return fail_body(std::make_error_code(std::errc::not_enough_memory),
                   refusal{.status = 503, .why = "busy: try again later"});
}

std::error_code exchange::fail_body(std::error_code error, std::optional<refusal> why) noexcept {
  keep_ = false;
  intake_->read_error = error;
  intake_->why = why;
  return error;
}

exchange::growth::~growth() {
  if (admitted) return;
  of_.reserved_bytes_ = reserved_bytes_;
  of_.body_bytes_ = body_bytes_;
  (void)of_.account();
}

task<bool> exchange::reserve(std::size_t bytes) {
  growth wanted(*this);
  reserved_bytes_ = bytes;
  body_bytes_ = 0;
  wanted.admitted = account();
  if (!wanted.admitted) wanted.admitted = co_await wait_for_room();
  co_return wanted.admitted;
}

bool exchange::try_reserve_all(std::size_t bytes) noexcept {
  if (server().budget() == nullptr) return true;
  server().budget()->keep_reserve(bytes);
  admitted_bytes_ = std::max(admitted_bytes_, bytes);
  if (share_.try_grow_for_good(held_bytes())) return true;
  admitted_bytes_ = 0;
  (void)server().make_room();
  return false;
}

bool exchange::try_hold_body(std::size_t bytes) noexcept {
  body_bytes_ = bytes;
  return account();
}

task<bool> exchange::hold_body(std::size_t bytes) {
  growth wanted(*this);
  wanted.admitted = try_hold_body(bytes);
  if (!wanted.admitted) wanted.admitted = co_await wait_for_room();
  co_return wanted.admitted;
}

void exchange::become_lasting() noexcept {
  admitted_bytes_ = 0;
  share_.keep_from_reserve();
  (void)account();
}

void exchange::note_progress() noexcept { swept_.moved = server().sweeps(); }

bool exchange::is_stalled() const noexcept {
  // A WebSocket that holds nothing may stay silent.
  const bool is_silent = upgraded_ && body_bytes_ == 0;
  return waits_for_peer_ && !shed_ && !is_silent && server().sweeps() - swept_.moved >= 2;
}

void exchange::shed() noexcept {
  shed_ = true;
  keep_ = false;
  connection_.expires_after(std::chrono::nanoseconds(0));
}

}  // namespace tare::http::detail
