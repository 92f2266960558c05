#include <tare/http/websocket.hpp>

#include "http/exchange.hpp"
#include "http/lasting/lasting.hpp"
#include "http/server_core.hpp"
#include "http/websocket/accepted_socket.hpp"
#include "http/websocket/client_socket.hpp"
#include "http/websocket/frame.hpp"
#include "http/websocket/upgrade.hpp"

#include <tare/detail/frame_memory.hpp>
#include <tare/timeout.hpp>

#include <cstring>
#include <memory>
#include <utility>

namespace tare::http {

message_data::message_data(std::string_view copied)
    : bytes_(copied.empty() ? nullptr : static_cast<char*>(::operator new(copied.size()))),
      size_(static_cast<std::uint32_t>(copied.size())) {
  if (bytes_ != nullptr) std::memcpy(bytes_, copied.data(), copied.size());
}

message_data::~message_data() { ::operator delete(bytes_); }

// --- accepted by a handler of requests ------------------------------------------------------------------------------

namespace detail {

accepted_socket::accepted_socket(exchange& exchange, websocket_options with, served begins) noexcept
    : other_lasting_connection(
          [](lasting_connection& self) noexcept { return static_cast<accepted_socket&>(self).from.connection(); },
          exchange.connection().slot(), exchange.group(), std::move(begins)),
      from(exchange),
      options(std::move(with)) {
  lasting(*this).borrow();
}

accepted_socket& accepted_socket::make(exchange& exchange, websocket_options with, const upgrade::agreed& agreed) {
  lasting_work& work = make_work(frame_reader::role::server, with.max_message_bytes, agreed.compresses());
  served begins(work);
  work.protocol = agreed.protocol;
  void* const memory = tare::detail::allocate_record(sizeof(accepted_socket));
  return *::new (memory) accepted_socket(exchange, std::move(with), std::move(begins));
}

void accepted_socket::leave(accepted_socket& freed) noexcept {
  lasting(freed).expect_no_message();
  const lasting socket(freed);
  if (socket.is_cut()) {
    freed.from.note_cut();
  } else if (socket.is_closed()) {
    freed.from.skip_close_frame();
  }
  freed.end();
  std::destroy_at(&freed);
  tare::detail::free_record(&freed);
}

}  // namespace detail

task<result<websocket>> websocket::accept(request& request, response& response, websocket_options options) {
  const auto with = co_await detail::upgrade::check(request, response, options);
  if (!with) co_return std::unexpected(errc::not_an_upgrade);
  detail::exchange& exchange = request.of();
  const fields sent = detail::upgrade::response_to(*with, options);
  // Before anything is sent, because frames may follow the handshake in the same buffer, and memory may be short.
  detail::accepted_socket& made = detail::accepted_socket::make(exchange, std::move(options), *with);
  websocket socket(tare::detail::to_link(&made));
  if (auto switched = co_await exchange.upgrade(sent); !switched) co_return std::unexpected(switched.error());
  detail::lasting(made).take_input(exchange.take_input());
  co_return std::move(socket);
}

void websocket::leave() noexcept {
  auto& left = *tare::detail::from_link<detail::lasting_connection>(connection_);
  if (detail::lasting(left).is_client()) return detail::client_socket::leave(static_cast<detail::client_socket&>(left));
  if (detail::lasting(left).is_borrowed()) detail::accepted_socket::leave(static_cast<detail::accepted_socket&>(left));
}

// --- the rest -------------------------------------------------------------------------------------------------------

task<result<void>> websocket::close(std::uint16_t code, std::string_view reason) {
  constexpr std::size_t max_reason_bytes = 123;
  std::string payload;
  if (code != 0) {
    payload += static_cast<char>(code >> 8U);
    payload += static_cast<char>(code & 0xFFU);
    payload += reason.substr(0, max_reason_bytes);
  }
  co_return co_await frame(detail::opcode::close, payload);
}

task<result<message_writer>> websocket::begin(kind as) {
  return detail::lasting::begin_message(*tare::detail::from_link<detail::lasting_connection>(connection_),
                                        as == kind::text ? detail::opcode::text : detail::opcode::binary);
}

namespace {

task<result<void>> close_and_receive(websocket& socket, std::uint16_t code, std::string_view reason) {
  const auto closed = co_await socket.close(code, reason);
  if (!closed && closed.error() != errc::already_sent) co_return closed;
  for (;;) {
    const auto got = co_await socket.receive();
    if (got) continue;
    if (got.error() == errc::closed_by_peer) co_return result<void>();
    co_return std::unexpected(got.error());
  }
}

}  // namespace

task<result<void>> websocket::close_and_wait(std::uint16_t code, std::string_view reason,
                                             std::chrono::nanoseconds limit) {
  auto both = co_await timeout(limit, close_and_receive(*this, code, reason));
  if (!both) co_return std::unexpected(std::make_error_code(std::errc::timed_out));
  co_return *both;
}

std::uint16_t websocket::peer_code() const noexcept { return detail::lasting(connection_).peer_code(); }
std::string_view websocket::protocol() const noexcept { return detail::lasting(connection_).protocol(); }
std::size_t websocket::buffered_bytes() const noexcept { return detail::lasting(connection_).buffered_bytes(); }
net::result<net::endpoint> websocket::peer() const noexcept { return detail::lasting(connection_).connection().peer(); }

}  // namespace tare::http
