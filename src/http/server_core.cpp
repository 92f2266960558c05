#include "http/server_core.hpp"

#include "http/lasting/lasting.hpp"
#include "http/topic/topic_core.hpp"
#include "io/buffer_pool.hpp"
#include "sched/report.hpp"

#include <tare/detail/frame_memory.hpp>
#include <tare/detail/misuse.hpp>
#include <tare/net/idle.hpp>
#include <tare/sleep.hpp>
#include <tare/timeout.hpp>

#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>
#include <new>
#include <span>
#include <utility>

namespace tare::http::detail {

using namespace std::string_view_literals;
using tare::detail::from_link;
using tare::detail::link;
using tare::detail::no_link;
using tare::detail::to_link;

namespace {

constexpr std::chrono::nanoseconds between_sweeps = std::chrono::milliseconds(100);
// For an unlimited body, only this much is kept in reserve.
constexpr std::uint64_t default_body_bytes = 1U << 20U;

/// Rounded up, plus one, because the first sweep may come at any moment.
std::uint32_t in_sweeps(std::chrono::nanoseconds time) noexcept {
  const std::int64_t sweeps = time / between_sweeps + (time % between_sweeps > time.zero() ? 1 : 0) + 1;
  return static_cast<std::uint32_t>(std::min<std::int64_t>(sweeps, INT32_MAX));
}

std::chrono::nanoseconds or_never(std::chrono::nanoseconds time) noexcept {
  return time.count() > 0 ? time : std::chrono::nanoseconds::max();
}

}  // namespace

server_core::server_core(handler handle, server_options options)
    : answer_(std::move(handle)), options_(std::move(options)) {
  for (std::chrono::nanoseconds* limit :
       {&options_.head_timeout, &options_.body_timeout, &options_.write_timeout, &options_.idle_timeout}) {
    *limit = or_never(*limit);
  }
  if (options_.request_timeout.count() > 0) sweeps_a_request_ = in_sweeps(options_.request_timeout);
  if (memory().limit() != SIZE_MAX) {
    budget_ = &memory();
    const auto body = static_cast<std::size_t>(std::min<std::uint64_t>(options_.max_body_bytes, default_body_bytes));
    budget_->keep_reserve(options_.request_bytes != 0
                              ? options_.request_bytes
                              : exchange::frames_bytes + exchange::reading_frames_bytes + sizeof(intake) +
                                    2 * tare::detail::buffer_pool::buffer_bytes + options_.max_head_bytes + body);
  }
  timer_.of = this;
  timer_.expired = [](tare::detail::timer_node& timer) noexcept { static_cast<sweep_timer&>(timer).of->sweep(); };
}

server_core::~server_core() {
  if (!acceptors_.empty()) {
    tare::detail::misuse("an http::server was destroyed while it serves: keep it until `serve` has returned");
  }
  tare::detail::disarm(timer_);
}

void server_core::report(const std::exception_ptr& error) const noexcept {
  if (tare::detail::is_cancellation(error)) return;  // not a failure of the handler
  if (!options_.on_error) {
    tare::detail::print_exception("a handler of an HTTP server ended by an exception", error);
    return;
  }
  try {
    options_.on_error(error);
  } catch (...) {
    // The report of one connection must not end the others.
    tare::detail::print_exception("http::server_options::on_error ended by an exception", std::current_exception());
  }
}

void report(const server_core& server, const std::exception_ptr& error) noexcept { server.report(error); }

std::string_view server_core::date_line() noexcept {
  constexpr std::array<const char*, 7> days{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array<const char*, 12> months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                               "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  constexpr std::size_t length = 37;
  timespec present{};
  ::clock_gettime(CLOCK_REALTIME_COARSE, &present);
  if (present.tv_sec != date_of_) {
    date_of_ = present.tv_sec;
    std::tm parts{};
    ::gmtime_r(&date_of_, &parts);
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-vararg): a fixed shape
    const int written = std::snprintf(date_.data(), date_.size(), "date: %s, %02d %s %04d %02d:%02d:%02d GMT\r\n",
                                      days.at(static_cast<std::size_t>(parts.tm_wday)), parts.tm_mday % 32,
                                      months.at(static_cast<std::size_t>(parts.tm_mon)), (parts.tm_year + 1900) % 10000,
                                      parts.tm_hour % 24, parts.tm_min % 60, parts.tm_sec % 61);
    if (std::cmp_not_equal(written, length)) return {};
  }
  return {date_.data(), length};
}

std::unique_ptr<intake> server_core::make_intake() {
  if (spare_intake_) return std::move(spare_intake_);
  return std::make_unique<intake>(limits());
}

void server_core::keep_intake(std::unique_ptr<intake> used) noexcept {
  if (spare_intake_) return;
  used->input.release();
  used->next(limits());
  spare_intake_ = std::move(used);
}

void server_core::enter(exchange& entering) noexcept {
  const link self = to_link(&entering);
  entering.swept() = {.next = no_link, .previous = last_, .moved = sweeps_};
  (last_ != no_link ? from_link<exchange>(last_)->swept().next : first_) = self;
  last_ = self;
  sweep_later();
}

void server_core::leave(exchange& leaving) noexcept {
  end_urgent_head(leaving);
  const sweep_entry& entry = leaving.swept();
  (entry.previous != no_link ? from_link<exchange>(entry.previous)->swept().next : first_) = entry.next;
  (entry.next != no_link ? from_link<exchange>(entry.next)->swept().previous : last_) = entry.previous;
}

void server_core::begin_handler(exchange& exchange) noexcept {
  exchange.swept().began = sweeps_;
  ++handlers_;
}

void server_core::end_handler() noexcept {
  --handlers_;
  ++requests_;
}

bool server_core::is_urgent(std::string_view path) const noexcept {
  return std::ranges::find(options_.urgent_paths, path) != options_.urgent_paths.end();
}

bool server_core::begin_urgent_head(const exchange& arriving) noexcept {
  if (urgent_head_ != nullptr) return false;
  urgent_head_ = &arriving;
  return true;
}

bool server_core::end_urgent_head(const exchange& arriving) noexcept {
  if (urgent_head_ != &arriving) return false;
  urgent_head_ = nullptr;
  return true;
}

bool server_core::may_be_urgent(std::string_view head) const noexcept {
  if (head.empty() || options_.urgent_paths.empty()) return false;
  const std::size_t space = head.find(' ');
  if (space == head.npos) return "GET"sv.starts_with(head) || "HEAD"sv.starts_with(head);
  const std::string_view target = head.substr(space + 1);
  return std::ranges::any_of(options_.urgent_paths, [&](std::string_view path) {
    if (target.size() <= path.size()) return path.starts_with(target);
    return target.starts_with(path) && (target[path.size()] == ' ' || target[path.size()] == '?');
  });
}

void server_core::end_stalled_handshakes() noexcept {
  constexpr std::int64_t pause = std::chrono::nanoseconds(std::chrono::milliseconds(10)).count();
  constexpr std::size_t at_once = 16;
  const std::int64_t present = now().time_since_epoch().count();
  if (present - ended_handshakes_at_ < pause) return;
  ended_handshakes_at_ = present;
  (void)make_room();
  (void)net::expire_idle(at_once);
}

bool server_core::make_room() noexcept {
  constexpr std::int64_t pause = std::chrono::nanoseconds(std::chrono::milliseconds(10)).count();
  constexpr std::size_t at_once = 32;
  const std::int64_t present = now().time_since_epoch().count();
  if (present - made_room_at_ < pause) return true;
  made_room_at_ = present;
  // A heap with the smallest of the chosen at its top.
  const auto more = [](const exchange* left, const exchange* other) {
    return left->share_bytes() > other->share_bytes();
  };
  std::array<exchange*, at_once> chosen{};
  std::size_t count = 0;
  for (link current = first_; current != no_link; current = from_link<exchange>(current)->swept().next) {
    auto* const each = from_link<exchange>(current);
    if (!each->is_stalled()) continue;
    if (count == at_once) {
      if (!more(each, chosen[0])) continue;
      std::ranges::pop_heap(chosen, more);
      --count;
    }
    chosen[count++] = each;
    std::push_heap(chosen.begin(), chosen.begin() + static_cast<std::ptrdiff_t>(count), more);
  }
  for (exchange* each : std::span(chosen).first(count)) each->shed();
  return shed_lasting() || count != 0;
}

std::size_t server_core::connections() const noexcept {
  std::size_t sum = 0;
  for (const acceptor* each : acceptors_) sum += each->connections->size();
  return sum;
}

void server_core::stop() noexcept {
  for (const acceptor* each : acceptors_) each->listening->close();
}

void server_core::end_drains_after(std::chrono::nanoseconds time) noexcept { drains_end_ = sweeps_ + in_sweeps(time); }

std::uint32_t server_core::sweeps_to_drain() const noexcept { return in_sweeps(options_.drain_timeout); }

void connection_group::begin_drain() noexcept {
  if (draining_) return;
  draining_ = true;
  over_at_ = server_.sweeps() + server_.sweeps_to_drain();
  topic_core::end_polls(*this);
}

bool connection_group::is_over() const noexcept {
  return draining_ && (server_.sweeps() >= over_at_ || server_.drains_are_over());
}

void server_core::sweep_later() noexcept {
  if (timer_.asleep == 0) tare::detail::arm(timer_, between_sweeps.count());
}

void server_core::sweep() noexcept {
  ++sweeps_;
  if (first_ == no_link && works_ == nullptr) return;
  sweep_later();
  // Refuses at most a quarter of those that wait for room, and one, even if the time of all is up: what some of them
  // hold may be the room that the others wait for.
  constexpr std::size_t divisor = 4;
  refusals_ = retry_waiting_for_room(works_) / divisor + 1;
  if (budget_ != nullptr && budget_->waiting() != 0) (void)make_room();
  for (link current = first_; current != no_link; current = from_link<exchange>(current)->swept().next)
    sweep(*from_link<exchange>(current));
}

void server_core::sweep(exchange& each) noexcept {
  const bool is_over = each.group().is_over();
  if (is_over) each.connection().expires_after(std::chrono::nanoseconds(1));
  if (!each.guard().running()) return;
  const std::uint32_t age = sweeps_ - each.swept().began;
  if (is_over || (sweeps_a_request_ != 0 && age >= sweeps_a_request_ && !each.upgraded())) {
    each.cancel_late();
    return;
  }
  if (!options_.cancel_if_client_leaves || age < 2 || !each.may_look_at_peer()) return;
  switch (each.connection().look_at_peer()) {
    case net::peer_state::silent:
      break;
    case net::peer_state::sending:
      each.ignore_peer();
      break;
    case net::peer_state::gone:
      each.cancel_left();
      break;
  }
}

void server_core_deleter::operator()(server_core* core) const noexcept {
  std::destroy_at(core);
  tare::detail::free_record(core);
}

}  // namespace tare::http::detail
