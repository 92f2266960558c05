#include "http/lasting/lasting.hpp"

#include "http/linger.hpp"
#include "http/server_core.hpp"
#include "http/websocket/accepted_socket.hpp"
#include "http/websocket/client_socket.hpp"
#include "io/reactor.hpp"

#include <tare/detail/frame_memory.hpp>
#include <tare/error.hpp>
#include <tare/http/error.hpp>
#include <tare/resume_on.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>

namespace tare::http::detail {

using namespace std::chrono_literals;
using tare::detail::from_link;
using tare::detail::io_slot;
using tare::detail::no_link;
using tare::detail::reactor;
using tare::detail::to_link;

lasting_work& make_work(frame_reader::role as, std::size_t max_message_bytes, bool compresses) {
  const auto limit = std::min<std::size_t>(max_message_bytes, UINT32_MAX);  // message_data has 32 bits for it
  auto& made =
      *::new (tare::detail::allocate_record(sizeof(lasting_work))) lasting_work(frame_reader(as, limit, compresses));
  made.compresses = compresses;
  return made;
}

void free_work(lasting_work& freed) noexcept {
  std::destroy_at(&freed);
  tare::detail::free_record(&freed);
}

served::served(lasting_work& begins) noexcept : link_(to_link(&begins)) {}

void served::drop() noexcept { free_work(*from_link<lasting_work>(release())); }

// --- the connection -------------------------------------------------------------------------------------------------

lasting_connection::lasting_connection(carrier kind, tare::detail::link slot, connection_group& group,
                                       served begins) noexcept
    : io_wait(slot), group_(to_link(&group)), work_(begins.release()), kind_(kind) {
  if (work_ != no_link) {
    const auto& first = *from_link<lasting_work>(work_);
    route_ = first.route_number;
    protocol_ = first.protocol;
    is_events_ = first.is_events;
    is_chunked_ = first.is_chunked;
    compresses_ = first.compresses;
  }
  server().count_lasting(1);
}

lasting_connection::lasting_connection(lasting_connection&& other) noexcept
    : io_wait(other.io_wait::slot),
      group_(std::exchange(other.group_, no_link)),
      work_(std::exchange(other.work_, no_link)),
      held_bytes_(std::exchange(other.held_bytes_, 0)),
      peer_code_(other.peer_code_),
      route_(other.route_),
      protocol_(other.protocol_),
      kind_(other.kind_),
      is_events_(other.is_events_),
      is_chunked_(other.is_chunked_),
      compresses_(other.compresses_) {}

transport lasting_connection::connection() noexcept {
  switch (kind_) {
    case carrier::plain:
      return transport::of(static_cast<carried<net::stream>*>(this)->stream);
    case carrier::tls:
      return transport::of(static_cast<carried<net::tls::stream>*>(this)->stream);
    case carrier::other:
      break;
  }
  auto& other = static_cast<other_lasting_connection&>(*this);
  return other.find(other);
}

tare::detail::child_request lasting_connection::run_handler() {
  const tare::detail::link handler = lasting(*this).begin().release();
  lasting(*this).set_handler(handler);
  return {.child = handler, .is_shielded = false};
}
void lasting_connection::note_error() noexcept { lasting(*this).note_error(); }
tare::detail::child_request lasting_connection::finish() {
  return {.child = lasting::finish(*this).release(), .is_shielded = true};
}
bool lasting_connection::is_home() noexcept { return lasting(*this).server().home() == this_shard(); }
void lasting_connection::end() noexcept {
  if (group_ != no_link) lasting(*this).end();
}

// --- its life -------------------------------------------------------------------------------------------------------

namespace {

task<> fail_handler(std::exception_ptr error) {
  std::rethrow_exception(std::move(error));
  co_return;
}

}  // namespace

task<> lasting::begin() {
  lasting_work& first = *work();
  first.of = &of_;
  if (reactor* const here = reactor::if_any(); here != nullptr) here->attempt_by(&lasting::on_attempt);
  if (first.note) server().keep_note(to_link(&of_), first.note);
  const lasting_route& route = *first.route;
  handshake_owner head = std::move(first.head);
  settle();
  if (of_.is_events_) begin_events();
  try {
    return route.begin(to_link(&of_), std::move(head));
  } catch (...) {
    return fail_handler(std::current_exception());
  }
}

void lasting::borrow() noexcept {
  of_.is_borrowed_ = true;
  work()->of = &of_;
  if (reactor* const here = reactor::if_any(); here != nullptr) here->attempt_by(&lasting::on_attempt);
}

void lasting::begin_client() noexcept {
  of_.is_client_ = true;
  borrow();
}

void lasting::end_client() noexcept {
  expect_no_message();
  of_.over_ = true;
  if (of_.gone_ || of_.cut_) return;
  send_close(std::to_underlying(close_code::going_away));
  if (lasting_work* const left = work(); left == nullptr || !left->is_sending()) connection().shutdown_write();
}

bool lasting::is_in_use() const noexcept {
  const lasting_work* const now = work();
  if (now != nullptr && (now->receives || now->senders != 0 || now->waiters != 0)) return true;
  const io_slot* const there = slot();
  const auto* const mine = static_cast<const tare::detail::io_wait*>(&of_);
  return there != nullptr && there->reader == tare::detail::to_link(mine) && mine->owner != no_link;
}

// A server's connection exists longer than its handler, and with that than its subscriptions.
void lasting::count_subscription(int change) noexcept {
  if (of_.is_client_) static_cast<client_socket&>(of_).subscriptions += static_cast<std::size_t>(change);
}

// Perhaps on another shard, to which the handler has moved.
void lasting::note_error() noexcept {
  std::exception_ptr error = std::current_exception();
  if (tare::detail::is_cancellation(error)) {
    of_.going_away_ = true;
    return;
  }
  of_.has_failed_ = true;
  try {
    begin_work().error = std::move(error);
  } catch (const std::bad_alloc&) {
    return;  // then it is not reported
  }
}

task<> lasting::finish(lasting_connection& of) {
  lasting self(of);
  co_await resume_on(self.server().home());
  of.over_ = true;
  if (of.is_events_) self.end_events();
  self.end_handler();
  if (!of.is_events_ && !of.close_sent_ && !of.cut_ && !of.gone_) {
    self.send_close(of.has_failed_                            ? std::to_underlying(close_code::internal_error)
                    : of.going_away_ || of.group().draining() ? std::to_underlying(close_code::going_away)
                                                              : std::to_underlying(close_code::normal));
  }
  of.finished_ = true;
  if (of.is_events_ && of.has_failed_) {
    self.connection().abort();  // what has been sent must not look complete
    co_return;
  }
  if (of.cut_) co_return;
  const std::chrono::nanoseconds limit = self.options().close_timeout;
  if (lasting_work* const left = self.work(); left != nullptr && left->is_sending()) {
    self.connection().expires_after(limit, net::direction::write);
    const std::error_code error = co_await flush_in_turn(of);
    if (error) co_return;
  }
  if (!self.connection().shutdown_write()) co_await announce_end(self.connection(), limit);
  if (!of.gone_) co_await linger(self.connection(), limit);
}

void lasting::end_handler() noexcept {
  expect_no_message();
  std::exception_ptr error;
  if (lasting_work* const left = work(); left != nullptr) {
    left->input.release();
    error = std::exchange(left->error, nullptr);
    if (error) server().report_handler(error);
  }
  log(std::move(error));
}

void lasting::log(std::exception_ptr error) noexcept {
  if (of_.is_borrowed_ || !server().options().on_response) return;
  lasting_work* const left = work();
  const access_note::owner note =
      left != nullptr && left->note ? std::move(left->note) : server().take_note(to_link(&of_));
  if (!note) return;
  server().release_lasting(note_bytes(*note));
  const bool is_cut = of_.cut_ || (of_.is_events_ && of_.has_failed_);
  note->report(server(), of_.is_events_ ? 200 : 101, is_cut ? make_error_code(errc::truncated) : std::error_code(),
               std::move(error));
}

void lasting::end() noexcept {
  expect_no_message();
  if (!of_.finished_ && !of_.close_sent_ && !of_.cut_ && !of_.gone_ && !of_.is_borrowed_) {
    // It was cancelled before its handler began.
    if (of_.is_events_) {
      end_events();
    } else {
      send_close(std::to_underlying(close_code::going_away));
    }
    if (lasting_work* const left = work(); left == nullptr || !left->is_sending()) connection().shutdown_write();
  }
  log(nullptr);
  drop_work();
  (void)hold(0);
  if (!of_.is_borrowed_) server().release_lasting(lasting_bytes);
  server().count_lasting(-1);
  if (server().received().of == &of_) server().received() = {};
}

const websocket_options& lasting::options() const noexcept {
  if (of_.is_client_) return static_cast<const client_socket&>(of_).options;
  if (of_.is_borrowed_) return static_cast<const accepted_socket&>(of_).options;
  return server().route(of_.route_).options();
}

std::chrono::nanoseconds lasting::write_timeout() const noexcept {
  return of_.is_client_ ? static_cast<const client_socket&>(of_).write_timeout : server().options().write_timeout;
}

std::string_view lasting::protocol() const noexcept {
  if (of_.protocol_ == 0) return {};
  return options().protocols[of_.protocol_ - 1U];
}

std::size_t lasting::buffered_bytes() const noexcept {
  const lasting_work* const now = work();
  return held_bytes() + connection().buffered_bytes() + (now == nullptr ? 0 : now->unsent.size());
}

io_slot* lasting::slot() const noexcept {
  return of_.io_wait::slot == no_link ? nullptr : from_link<io_slot>(of_.io_wait::slot);
}

// --- its work -------------------------------------------------------------------------------------------------------

lasting_work& lasting::begin_work() {
  if (lasting_work* const there = work(); there != nullptr) return *there;
  lasting_work& made = make_work(role(), options().max_message_bytes, of_.compresses_);
  made.of = &of_;
  of_.work_ = to_link(&made);
  return made;
}

void lasting::settle() noexcept {
  const lasting_work* const now = work();
  if (now == nullptr) return;
  const bool receives = !now->input.empty() || !now->reader.is_idle() || now->waiting_since != 0 || now->receives ||
                        now->outcome.of != nullptr || now->is_shed || now->is_packed || now->inflating ||
                        now->arriving != arrival::whole;
  if (receives || now->is_sending() || now->behind != no_link || now->head != nullptr || now->note) return;
  if (now->message != nullptr || now->waiters != 0) return;
  drop_work();
}

void lasting::drop_work() noexcept {
  lasting_work* const dropped = work();
  if (dropped == nullptr) return;
  if (reactor* const here = reactor::if_any(); here != nullptr) {
    here->end_wait_without_task(*dropped, tare::detail::io_direction::write);
  }
  if (dropped->is_listed) server().leave(*dropped);
  of_.work_ = no_link;
  free_work(*dropped);
}

bool lasting::hold(std::size_t bytes) noexcept {
  if (of_.is_events_ || server().budget() == nullptr || bytes == of_.held_bytes_) return true;
  if (bytes > of_.held_bytes_) {
    if (!server().admit_lasting(bytes - of_.held_bytes_)) return false;
  } else {
    server().release_lasting(of_.held_bytes_ - bytes);
  }
  of_.held_bytes_ = static_cast<std::uint32_t>(bytes);
  return true;
}

bool lasting::on_attempt(tare::detail::io_wait& wait, io_slot& slot, tare::detail::io_direction in) {
  if (in == tare::detail::io_direction::read) {
    lasting reading(static_cast<lasting_connection&>(wait));
    if (!reading.of_.is_events_) return reading.attempt_receive();
    reading.attempt_events(slot);
    return false;
  }
  lasting(*static_cast<lasting_work&>(wait).of).flush_unsent();
  return false;
}

}  // namespace tare::http::detail
