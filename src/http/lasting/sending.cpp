// Sending frames: whole ones only. A frame of which a part has been sent is followed by its rest, or by nothing.

#include "http/events/encoding.hpp"
#include "http/lasting/lasting.hpp"
#include "http/lasting/sender_turn.hpp"
#include "http/server_core.hpp"
#include "http/websocket/client_socket.hpp"
#include "io/reactor.hpp"

#include <tare/detail/misuse.hpp>

#include <algorithm>
#include <array>
#include <new>
#include <optional>
#include <utility>

namespace tare::http::detail {

using tare::detail::io_call;
using tare::detail::io_direction;
using tare::detail::link;
using tare::detail::no_link;
using tare::detail::reactor;

namespace {

// A peer has `write_timeout` for each piece: smaller pieces would waste work, larger ones would cut off slow peers.
constexpr std::size_t max_piece_bytes = 64U << 10U;
// Of control frames that wait for the socket. A peer that sends more pings than it reads pongs gets fewer pongs, which
// it may (RFC 6455, 5.5.3).
constexpr std::size_t max_unsent_bytes = 1024;
constexpr std::size_t max_control_bytes = 125;

std::span<const std::byte> bytes_of(std::string_view text) noexcept { return std::as_bytes(std::span(text)); }

std::string_view text_of(std::span<const std::byte> bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

link lasting::begin_send(opcode as, std::string_view payload, std::error_code& error) noexcept {
  try {
    const lasting_work* const now = work();
    if (as == as_piece || as == as_last_piece) {
      if (now == nullptr || now->message == nullptr) {
        tare::detail::misuse("what http::message_writer::write returns must be awaited before `finish`");
      }
      return send_piece(*now->message, as, payload).release();
    }
    if (now != nullptr && (now->is_sending() || must_wait_for_message(as))) {
      return send_in_turn(of_, as, payload).release();
    }
    return send_now(as, payload, error);
  } catch (const std::bad_alloc&) {
    error = std::make_error_code(std::errc::not_enough_memory);
    return no_link;
  }
}

// TLS writes a record at a time. Only when nothing more is accepted is an event certain to follow.
net::result<std::size_t> lasting::write_now(std::string_view bytes) noexcept {
  std::size_t sum = 0;
  while (sum < bytes.size()) {
    const auto written = connection().try_write(bytes_of(bytes.substr(sum)));
    if (!written) return written;
    if (*written == 0) break;
    sum += *written;
  }
  return sum;
}

std::optional<lasting::frame_tail> lasting::compose(std::string& to, opcode as, std::string_view payload) {
  if (as == as_event || as == as_event_data) {
    const event simple{.data = payload, .name = {}, .id = {}, .retry = {}};
    const event& sent = as == as_event ? *reinterpret_cast<const event*>(payload.data()) : simple;
    if (!is_sendable(sent)) return std::nullopt;
    append_event(to, sent);
    if (of_.is_chunked_) make_chunk(to, 0);
    return frame_tail();
  }
  if (const std::string_view smaller = compressed(as, payload); !smaller.empty()) {
    append_frame(to, as, smaller, true);
    return frame_tail();
  }
  if (payload.size() <= max_copied_bytes) {
    append_frame(to, as, payload, false);
    return frame_tail();
  }
  if (!of_.is_client_) {
    to.append(text_of(frame_head(as, payload.size()).bytes()));
    return frame_tail{.bytes = payload};
  }
  const frame_mask mask = next_mask();
  to.append(text_of(frame_head(as, payload.size(), mask).bytes()));
  return frame_tail{.bytes = payload, .mask = mask};
}

frame_mask lasting::next_mask() noexcept { return static_cast<client_socket&>(of_).home->masks().next(); }

std::string_view lasting::compressed(opcode as, std::string_view payload) const noexcept {
  const bool is_message = as == opcode::text || as == opcode::binary;
  if (!of_.compresses_ || !is_message || payload.size() < options().min_compressed_bytes) return {};
  return server().codec().compress(payload);
}

bool lasting::must_wait_for_message(opcode as) const noexcept {
  const lasting_work* const now = work();
  const bool is_message = as == opcode::text || as == opcode::binary;
  return is_message && now != nullptr && (now->message != nullptr || now->waiters != 0);
}

void lasting::append_frame(std::string& to, opcode as, std::string_view payload, bool is_compressed, bool is_final) {
  const frame_mask mask = of_.is_client_ ? next_mask() : frame_mask();
  frame_head head = of_.is_client_ ? frame_head(as, payload.size(), mask) : frame_head(as, payload.size());
  if (is_compressed) head.mark_compressed();
  if (!is_final) head.mark_continued();
  to.append(text_of(head.bytes()));
  const std::size_t begin = to.size();
  to.append(payload);
  if (of_.is_client_) apply_mask(std::as_writable_bytes(std::span(to).subspan(begin)), mask, 0);
}

link lasting::send_now(opcode as, std::string_view payload, std::error_code& error) {
  if (of_.close_sent_ || of_.cut_ || of_.finished_) {
    error = errc::already_sent;
    return no_link;
  }
  std::string& scratch = server().scratch();
  scratch.clear();
  const auto tail = compose(scratch, as, payload);
  if (!tail) {
    error = std::make_error_code(std::errc::invalid_argument);
    return no_link;
  }
  of_.cut_ = true;
  const auto written = write_now(scratch);
  if (!written) {
    error = written.error();
    return no_link;
  }
  const bool complete = *written == scratch.size() && tail->bytes.empty();
  of_.cut_ = !complete;
  if (complete) {
    if (scratch.capacity() > 4 * max_copied_bytes) std::string().swap(scratch);
    if (as == opcode::close) of_.close_sent_ = true;
    if (of_.is_events_) set_deadline();  // of the next comment
    return no_link;
  }
  sending mine(of_);
  mine.turn = work()->turn.try_lock();
  const std::size_t left = scratch.size() - *written;
  if (!mine.admit(left)) {
    error = std::make_error_code(std::errc::not_enough_memory);
    return no_link;
  }
  return send_rest(of_, std::move(mine), as, scratch.substr(*written), *tail).release();
}

task<std::error_code> lasting::write_all(lasting_connection& of, std::string_view bytes) {
  lasting self(of);
  of.cut_ = true;
  for (auto left = bytes_of(bytes); !left.empty();) {
    const std::array<std::span<const std::byte>, 1> piece{left.first(std::min(left.size(), max_piece_bytes))};
    if (!of.finished_) self.connection().expires_after(self.write_timeout(), net::direction::write);
    auto sent = co_await self.connection().write(piece);
    if (!sent) co_return sent.error();
    left = left.subspan(piece[0].size());
  }
  self.connection().expires_never(net::direction::write);
  of.cut_ = false;
  co_return std::error_code();
}

task<std::error_code> lasting::write_tail(lasting_connection& of, sending& mine, const frame_tail& tail) {
  if (!tail.mask) co_return co_await write_all(of, tail.bytes);
  // Its masked copy, a piece at a time.
  if (!mine.admit(std::min(tail.bytes.size(), max_piece_bytes))) {
    co_return std::make_error_code(std::errc::not_enough_memory);
  }
  std::string piece;
  for (std::size_t at = 0; at < tail.bytes.size(); at += piece.size()) {
    piece.assign(tail.bytes.substr(at, max_piece_bytes));
    apply_mask(std::as_writable_bytes(std::span(piece)), *tail.mask, at);
    const std::error_code error = co_await write_all(of, piece);
    if (error) co_return error;
    of.cut_ = at + piece.size() < tail.bytes.size();
  }
  co_return std::error_code();
}

// The control frames that have arrived meanwhile, which may be more than once.
task<std::error_code> lasting::write_unsent(lasting_connection& of) {
  lasting self(of);
  if (reactor* const here = reactor::if_any(); here != nullptr) {
    here->end_wait_without_task(*self.work(), io_direction::write);
  }
  if (const published_text pinned = std::exchange(self.work()->pinned, nullptr); pinned != nullptr) {
    const std::error_code error = co_await write_all(of, std::string_view(pinned->text).substr(self.work()->pinned_at));
    if (error) co_return error;
  }
  while (!of.close_sent_ && !self.work()->unsent.empty()) {
    const std::string now = std::exchange(self.work()->unsent, {});
    const std::error_code error = co_await write_all(of, now);
    if (error) co_return error;
    if (of.close_queued_ && self.work()->unsent.empty()) of.close_sent_ = true;
  }
  self.work()->unsent.clear();
  co_return std::error_code();
}

task<std::error_code> lasting::flush_in_turn(lasting_connection& of) {
  sending mine(of);
  mine.turn = co_await lasting(of).work()->turn.lock();
  if (of.cut_) co_return errc::already_sent;
  co_return co_await write_unsent(of);
}

task<std::error_code> lasting::send_rest(lasting_connection& of, sending mine, opcode as, std::string rest,
                                         frame_tail tail) {
  std::error_code error = co_await write_all(of, rest);
  if (!error) {
    of.cut_ = !tail.bytes.empty();
    error = co_await write_tail(of, mine, tail);
  }
  if (error) co_return error;
  if (as == opcode::close) of.close_sent_ = true;
  co_return co_await write_unsent(of);
}

task<std::error_code> lasting::send_in_turn(lasting_connection& of, opcode as, std::string_view payload) {
  lasting self(of);
  std::optional<message_waiter> waits;
  if (self.must_wait_for_message(as)) {
    waits.emplace(of);
    waits->turn = co_await self.work()->messages.lock();
  }
  sending mine(of);
  mine.turn = co_await self.work()->turn.lock();
  if (of.close_sent_ || of.cut_ || of.finished_) co_return errc::already_sent;
  std::error_code error = co_await write_unsent(of);
  if (error) co_return error;
  if (of.close_sent_) co_return errc::already_sent;
  std::string first;
  const auto tail = self.compose(first, as, payload);
  if (!tail) co_return std::make_error_code(std::errc::invalid_argument);
  if (!mine.admit(first.size())) co_return std::make_error_code(std::errc::not_enough_memory);
  error = co_await write_all(of, first);
  if (!error) {
    of.cut_ = !tail->bytes.empty();
    error = co_await write_tail(of, mine, *tail);
  }
  if (error) co_return error;
  if (as == opcode::close) of.close_sent_ = true;
  co_return co_await write_unsent(of);
}

// --- control frames -------------------------------------------------------------------------------------------------

void lasting::send_close(std::uint16_t code) noexcept {
  const std::array<char, 2> payload{static_cast<char>(code >> 8U), static_cast<char>(code & 0xFFU)};
  send_control(opcode::close, code == 0 ? std::string_view() : std::string_view(payload.data(), payload.size()));
}

void lasting::send_control(opcode as, std::string_view payload) noexcept {
  constexpr std::size_t max_head_bytes = 6;
  std::array<char, max_head_bytes + max_control_bytes> frame{};
  const frame_mask mask = of_.is_client_ ? next_mask() : frame_mask();
  const frame_head head = of_.is_client_ ? frame_head(as, payload.size(), mask) : frame_head(as, payload.size());
  const std::span<char> text = std::span(frame).first(head.bytes().size() + payload.size());
  std::ranges::copy(text_of(head.bytes()), text.begin());
  const std::span<char> masked = text.last(payload.size());
  std::ranges::copy(payload, masked.begin());
  if (of_.is_client_) apply_mask(std::as_writable_bytes(masked), mask, 0);
  send_small(std::string_view(text.data(), text.size()), as == opcode::close);
}

void lasting::send_small(std::string_view bytes, bool is_end) noexcept {
  if (of_.close_sent_ || of_.close_queued_ || of_.finished_) return;
  try {
    const lasting_work* const now = work();
    const bool must_wait = now != nullptr && now->is_sending();
    if (!must_wait) {
      if (of_.cut_) return;
      const auto written = write_now(bytes);
      if (!written) {
        of_.cut_ = true;
        return;
      }
      bytes.remove_prefix(*written);
    }
    if (bytes.empty()) {
      if (is_end) of_.close_sent_ = true;
      return;
    }
    lasting_work& waits = begin_work();
    if (!is_end && waits.unsent.size() + bytes.size() > max_unsent_bytes) return;
    waits.unsent.append(bytes);
    if (is_end) of_.close_queued_ = true;
    if (waits.senders == 0) flush_later();
  } catch (const std::bad_alloc&) {
    of_.cut_ = true;  // a part of it may have been sent
  }
}

void lasting::flush_later() noexcept {
  if (slot() == nullptr) return;  // the next receive or send does it
  lasting_work& waits = *work();
  static_cast<tare::detail::io_wait&>(waits).slot = of_.io_wait::slot;
  connection().expires_after(write_timeout(), net::direction::write);
  if (!reactor::if_any()->wait_without_task(waits, io_call::attempt_write)) give_up_sending();
}

void lasting::give_up_sending() noexcept {
  of_.cut_ = true;
  work()->unsent.clear();
  work()->pinned.reset();
  connection().expires_never(net::direction::write);
  reactor::if_any()->end_wait_without_task(*work(), io_direction::write);
  settle();
}

void lasting::flush_unsent() noexcept {
  lasting_work& waits = *work();
  if (slot()->has(tare::detail::io_write_expired)) {
    give_up_sending();
    return note_stalled();
  }
  if (waits.pinned != nullptr && !flush_pinned()) return;
  const auto written = write_now(waits.unsent);
  if (!written) return give_up_sending();
  waits.unsent.erase(0, *written);
  if (!waits.unsent.empty()) return;
  if (of_.close_queued_) of_.close_sent_ = true;
  connection().expires_never(net::direction::write);
  reactor::if_any()->end_wait_without_task(waits, io_direction::write);
  go_on();
  settle();
}

// --- from awaiters --------------------------------------------------------------------------------------------------

bool begin_send(send_state& state) noexcept {
  const send_request request = state.request;
  std::error_code error;
  const link rest =
      lasting(request.connection).begin_send(request.as, std::string_view(request.data, request.size), error);
  if (rest == no_link) {
    state.error = error;
  } else {
    state.rest = rest;
  }
  return rest == no_link;
}

}  // namespace tare::http::detail
