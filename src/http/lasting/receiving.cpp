// Receiving the messages of a WebSocket.

#include "http/lasting/lasting.hpp"
#include "http/server_core.hpp"
#include "io/reactor.hpp"

#include <tare/detail/promise.hpp>
#include <tare/sleep.hpp>

#include <algorithm>
#include <new>
#include <utility>

namespace tare::http::detail {

using namespace std::chrono_literals;
using tare::detail::current_shard;
using tare::detail::io_call;
using tare::detail::io_direction;
using tare::detail::io_slot;
using tare::detail::no_link;
using tare::detail::reactor;
using tare::detail::wait_kind;
using tare::detail::wait_state;

namespace {

constexpr std::size_t buffer_bytes = tare::detail::buffer_pool::buffer_bytes;
// After so many buffers without a message, other tasks get their turn.
constexpr int max_reads = 16;

errc reason_of(close_code code) noexcept {
  switch (code) {
    case close_code::bad_text:
      return errc::bad_text;
    case close_code::too_large:
      return errc::message_too_large;
    default:
      return errc::bad_frame;
  }
}

}  // namespace

// --- the result -----------------------------------------------------------------------------------------------------

bool lasting::deliver(std::error_code error) noexcept {
  server().received() = {.of = &of_, .data = {}, .is_text = false, .is_last = true, .error = error};
  return true;
}

bool lasting::deliver_message(lasting_work& from) {
  from.is_packed = from.reader.is_compressed();
  if (from.is_packed) return deliver_packed(from);
  return deliver_data(from.reader.take_message(), from.reader.is_text());
}

// What it becomes is admitted as it grows. If there is no room, it is decompressed again when there may be.
bool lasting::deliver_packed(lasting_work& from) {
  const auto admit = [this](std::size_t bytes) { return hold(held_now() + bytes); };
  const auto limit = std::min<std::size_t>(options().max_message_bytes, UINT32_MAX);
  std::string data;
  switch (server().codec().decompress(from.reader.message(), limit, data, admit)) {
    case message_codec::outcome::complete:
      break;
    case message_codec::outcome::malformed:
      return fail(close_code::protocol_error, errc::bad_frame);
    case message_codec::outcome::too_large:
      return fail(close_code::too_large, errc::message_too_large);
    case message_codec::outcome::no_room:
      std::string().swap(data);
      (void)hold(std::min<std::size_t>(of_.held_bytes_, held_now()));
      return wait_for_room();
  }
  utf8_check text;
  if (from.reader.is_text() && !(text.feed(data) && text.complete())) {
    return fail(close_code::bad_text, errc::bad_text);
  }
  from.is_packed = false;
  from.waiting_since = 0;
  (void)from.reader.take_message();
  return deliver_data(data, from.reader.is_text());
}

bool lasting::deliver_data(std::string_view bytes, bool is_text, bool is_last) {
  message_data data(bytes);
  (void)hold(std::min<std::size_t>(data.size() + held_now(), of_.held_bytes_));
  server().received() = {.of = &of_, .data = std::move(data), .is_text = is_text, .is_last = is_last, .error = {}};
  return true;
}

bool lasting::fail(close_code code, std::error_code error) noexcept {
  of_.over_ = true;
  drop_arriving();
  send_close(std::to_underlying(code));
  return deliver(error);
}

socket_event lasting::take_received() noexcept {
  socket_event& latest = server().received();
  if (latest.of == &of_) {
    socket_event taken = std::move(latest);
    latest = {};
    settle();
    return taken;
  }
  if (lasting_work* const now = work(); now != nullptr && now->outcome.of != nullptr) {
    socket_event taken = std::move(now->outcome);
    now->outcome = {};
    settle();
    return taken;
  }
  reactor* const here = reactor::if_any();
  const int error = here == nullptr ? EBADF : here->outcome().error;
  return {.of = nullptr,
          .data = {},
          .is_text = false,
          .is_last = true,
          .error = std::error_code(error, std::generic_category())};
}

// --- waiting --------------------------------------------------------------------------------------------------------

bool lasting::begin_receive(bool in_pieces) noexcept {
  io_slot* const there = slot();
  lasting_work* const now = work();
  const bool is_busy = (there != nullptr && there->reader != no_link) || (now != nullptr && now->receives);
  if (!is_busy) {
    of_.in_pieces_ = in_pieces;
    if (!in_pieces && now != nullptr && now->arriving == arrival::pieces) drop_rest(*now);
  }
  if (--current_shard->budget < 0) {
    if (there != nullptr) there->set(tare::detail::io_readable);  // it is attempted when the task has its next turn
    return false;
  }
  if (is_busy) return deliver(std::make_error_code(std::errc::device_or_resource_busy));
  return attempt_receive();
}

std::coroutine_handle<> lasting::wait_to_receive(wait_state& task) noexcept {
  if (io_slot* const there = slot(); there != nullptr) {
    // What has been read but not parsed causes no event.
    const lasting_work* const now = work();
    if (now != nullptr && !now->input.empty() && now->waiting_since == 0) there->set(tare::detail::io_readable);
    const bool waits = reactor::if_any()->suspend(of_, io_call::attempt_read, task);
    return waits ? std::noop_coroutine() : tare::detail::handle_of(task);
  }
  try {
    task.prev = receive_in_a_task(of_).release();
  } catch (const std::bad_alloc&) {
    (void)deliver(std::make_error_code(std::errc::not_enough_memory));
    return tare::detail::handle_of(task);
  }
  task.set_kind(wait_kind::child);
  return tare::detail::start_child(task);
}

task<> lasting::receive_in_a_task(lasting_connection& of) {
  /// The work exists as long as this.
  class receiving {
   public:
    explicit receiving(lasting_connection& by) : self_(by) { self_.begin_work().receives = true; }
    receiving(const receiving&) = delete;
    receiving& operator=(const receiving&) = delete;
    ~receiving() {
      self_.work()->receives = false;
      self_.settle();
    }

   private:
    lasting self_;
  };
  lasting self(of);
  const receiving guard(of);
  while (!self.attempt_receive()) {
    if (self.work()->waiting_since != 0) {
      co_await sleep_for(100ms);
      continue;
    }
    if (self.work()->senders == 0 && self.work()->is_sending()) {
      const std::error_code error = co_await flush_in_turn(of);
      if (!error) continue;
      of.over_ = true;
      (void)self.deliver(error);
      break;
    }
    if (!self.work()->input.empty()) {
      co_await yield();
      continue;
    }
    auto ready = co_await self.connection().readable();
    if (!ready && ready.error() == std::errc::timed_out) {
      const std::optional<bool> passed = self.pass_deadline();
      if (passed && *passed) break;
    } else if (!ready) {
      (void)self.deliver(ready.error());
      break;
    }
  }
  self.work()->outcome = std::exchange(self.server().received(), {});
}

void lasting::note_stalled() noexcept {
  of_.gone_ = true;
  if (of_.is_events_) return cancel_handler();
  if (slot() == nullptr) return connection().expires_after(std::chrono::nanoseconds(0), net::direction::read);
  slot()->set(tare::detail::io_readable);
  reactor::if_any()->queue(*slot(), io_direction::read);
}

void lasting::set_deadline() noexcept {
  const websocket_options& limits = options();
  std::chrono::nanoseconds limit = limits.receive_timeout;
  if (limit.count() <= 0) limit = of_.pinged_ ? limits.ping_timeout : limits.ping_interval;
  if (limit.count() > 0) {
    connection().expires_after(limit, net::direction::read);
  } else {
    connection().expires_never(net::direction::read);
  }
}

// True: `received` is the result; false: a new deadline is set.
std::optional<bool> lasting::pass_deadline() noexcept {
  if (const lasting_work* const now = work(); now != nullptr && now->is_shed) {
    return fail(close_code::try_again_later, std::make_error_code(std::errc::not_enough_memory));
  }
  if (of_.gone_) {
    of_.over_ = true;
    return deliver(std::make_error_code(std::errc::timed_out));
  }
  const websocket_options& limits = options();
  if (limits.receive_timeout.count() > 0) {
    connection().expires_never(net::direction::read);
    return deliver(errc::too_slow);
  }
  if (of_.pinged_ || limits.ping_interval.count() <= 0) {
    of_.over_ = of_.gone_ = true;
    return deliver(std::make_error_code(std::errc::timed_out));
  }
  of_.pinged_ = true;
  send_control(opcode::ping, {});
  set_deadline();
  return false;
}

// --- reading --------------------------------------------------------------------------------------------------------

bool lasting::attempt_receive() noexcept {
  try {
    return attempt();
  } catch (const std::bad_alloc&) {
    return fail(close_code::try_again_later, std::make_error_code(std::errc::not_enough_memory));
  }
}

std::optional<bool> lasting::parse(lasting_work& from) {
  const bool is_whole = !of_.in_pieces_ && from.arriving == arrival::whole;
  const auto reached = from.reader.feed(from.input.writable_bytes(), is_whole);
  from.input.consume(from.reader.consumed());
  if (from.arriving == arrival::dropped) {
    (void)from.reader.take_message();
    if (reached == frame_reader::progress::message) {
      from.arriving = arrival::whole;
      return std::nullopt;
    }
  }
  switch (reached) {
    case frame_reader::progress::message:
      if (is_whole) return deliver_message(from);
      return end_pieces(from);
    case frame_reader::progress::ping:
      send_control(opcode::pong, from.reader.control());
      return std::nullopt;
    case frame_reader::progress::close: {
      of_.peer_code_ = from.reader.code();
      of_.over_ = true;
      drop_arriving();
      send_close(of_.peer_code_ == std::to_underlying(close_code::no_status) ? std::uint16_t{0} : of_.peer_code_);
      return deliver(errc::closed_by_peer);
    }
    case frame_reader::progress::failed:
      return fail(from.reader.failure(), reason_of(from.reader.failure()));
    default:
      return std::nullopt;
  }
}

bool lasting::attempt() {
  if (of_.over_) return deliver(errc::closed_by_peer);
  if (of_.gone_) {
    of_.over_ = true;
    return deliver(std::make_error_code(std::errc::timed_out));
  }
  if (io_slot* const there = slot(); there != nullptr && there->has(tare::detail::io_read_expired)) {
    if (const auto passed = pass_deadline()) {
      if (*passed) return true;
    }
  }
  for (int reads = 0; reads < max_reads;) {
    lasting_work* const now = work();
    if (now != nullptr && of_.in_pieces_) {
      if (const auto result = deliver_piece(*now)) return *result;
    } else if (now != nullptr && now->is_packed) {
      return deliver_packed(*now);
    }
    if (now != nullptr && !now->input.empty()) {
      // A message is admitted before it is assembled. Twice its size, because it moves as it grows.
      if (!hold(held_now() + now->reader.held_bytes() + 2 * now->input.size())) return wait_for_room();
      now->waiting_since = 0;
      if (const auto result = parse(*now)) return *result;
      continue;
    }
    ++reads;
    if (slot() != nullptr && of_.kind_ == lasting_connection::carrier::plain &&
        !slot()->has(tare::detail::io_readable)) {
      break;
    }
    // Nothing is read unless there is room for it, so the peer is throttled.
    if (!hold(held_now() + buffer_bytes)) return wait_for_room();
    auto more = connection().try_read();
    if (!more && more.error() == std::errc::operation_would_block) break;
    if (!more || more->empty()) {
      of_.over_ = of_.gone_ = true;
      drop_arriving();
      return deliver(more ? make_error_code(errc::truncated) : more.error());
    }
    of_.pinged_ = false;
    lasting_work& begun = begin_work();
    begun.input = std::move(*more);
    begun.moved = server().sweeps();
    if (!begun.is_listed && server().budget() != nullptr) server().enter(begun);
    if (reads == max_reads) {
      if (slot() != nullptr) slot()->set(tare::detail::io_readable);
      return false;
    }
  }
  if (lasting_work* const left = work(); left != nullptr) left->waiting_since = 0;
  (void)hold(std::min<std::size_t>(of_.held_bytes_, held_now()));
  settle();
  set_deadline();
  return false;
}

// --- from awaiters --------------------------------------------------------------------------------------------------

bool begin_receive(tare::detail::link connection, bool in_pieces) noexcept {
  return lasting(connection).begin_receive(in_pieces);
}

std::coroutine_handle<> wait_to_receive(tare::detail::link connection, wait_state& task) noexcept {
  return lasting(connection).wait_to_receive(task);
}

namespace {

socket_event take_event(tare::detail::link connection) {
  current_shard->throw_if_cancelled();
  current_shard->rethrow_in_flight();
  return lasting(connection).take_received();
}

websocket::kind kind_of(const socket_event& got) noexcept {
  return got.is_text ? websocket::kind::text : websocket::kind::binary;
}

}  // namespace

template <>
result<websocket::message> take_received(tare::detail::link connection) {
  socket_event got = take_event(connection);
  if (got.error) return std::unexpected(got.error);
  return websocket::message{.data = std::move(got.data), .kind = kind_of(got)};
}

template <>
result<websocket::piece> take_received(tare::detail::link connection) {
  socket_event got = take_event(connection);
  if (got.error) return std::unexpected(got.error);
  return websocket::piece{.data = std::move(got.data), .kind = kind_of(got), .is_last = got.is_last};
}

}  // namespace tare::http::detail
