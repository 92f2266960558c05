#include <tare/http/websocket.hpp>

#include "http/characters.hpp"
#include "http/exchange.hpp"
#include "http/server_core.hpp"
#include "http/websocket/frame.hpp"
#include "io/buffer_pool.hpp"

#include <tare/mutex.hpp>

#include <algorithm>
#include <array>
#include <utility>

namespace tare::http {

namespace detail {

class websocket_core {
 public:
  websocket_core(exchange& of, const websocket_options& options, std::string protocol)
      : exchange_(of),
        input_(of.take_input()),
        reader_(frame_reader::role::server, options.max_message_bytes),
        receive_timeout_(options.receive_timeout.count() > 0 ? options.receive_timeout
                                                             : std::chrono::nanoseconds::max()),
        protocol_(std::move(protocol)) {}
  websocket_core(const websocket_core&) = delete;
  websocket_core& operator=(const websocket_core&) = delete;
  ~websocket_core() = default;

  task<result<websocket::message>> receive() {
    if (peer_code_ != 0 || failed_) co_return std::unexpected(errc::closed_by_peer);
    // The last message no longer belongs to the caller.
    hold_what_is_here();
    for (;;) {
      if (!input_.empty()) {
        const bool fits = co_await has_room_for_input();
        if (!fits) co_return std::unexpected(co_await refuse_for_memory());
        const auto reached = reader_.feed(input_.writable_bytes());
        input_.consume(reader_.consumed());
        switch (reached) {
          case frame_reader::progress::message:
            co_return websocket::message{.kind = reader_.is_text() ? websocket::kind::text : websocket::kind::binary,
                                         .data = reader_.take_message()};
          case frame_reader::progress::ping: {
            const std::string payload(reader_.control());
            if (auto sent = co_await send(opcode::pong, payload); !sent && sent.error() != errc::already_sent) {
              co_return std::unexpected(sent.error());
            }
            break;
          }
          case frame_reader::progress::close:
            peer_code_ = reader_.code();
            (void)co_await close(peer_code_ == std::to_underlying(close_code::no_status) ? 0 : peer_code_, {});
            co_return std::unexpected(errc::closed_by_peer);
          case frame_reader::progress::failed:
            failed_ = true;
            (void)co_await close(std::to_underlying(reader_.failure()), {});
            co_return std::unexpected(reason_of(reader_.failure()));
          default:
            break;
        }
        continue;
      }
      hold_what_is_here();
      auto more = co_await exchange_.read_admitted(receive_timeout_);
      if (!more && more.error() == std::errc::not_enough_memory)
        co_return std::unexpected(co_await refuse_for_memory());
      if (!more) {
        const bool late = more.error() == std::errc::timed_out;
        co_return std::unexpected(late ? make_error_code(errc::too_slow) : more.error());
      }
      if (more->empty()) {
        failed_ = true;
        exchange_.skip_close_frame();
        co_return std::unexpected(errc::truncated);
      }
      input_ = std::move(*more);
    }
  }

  task<result<void>> send(opcode as, std::string_view payload) {
    auto turn = co_await sending_.lock();
    if (close_sent_) co_return std::unexpected(errc::already_sent);
    const frame_head head(as, payload.size());
    auto sent = co_await exchange_.send_raw(head.bytes(), payload);
    if (sent && as == opcode::close) {
      close_sent_ = true;
      exchange_.skip_close_frame();
    }
    co_return sent;
  }

  /// Code 0: none.
  task<result<void>> close(std::uint16_t code, std::string_view reason) {
    constexpr std::size_t max_reason_bytes = 123;
    std::string payload;
    if (code != 0) {
      payload += static_cast<char>(code >> 8U);
      payload += static_cast<char>(code & 0xFFU);
      payload += reason.substr(0, max_reason_bytes);
    }
    co_return co_await send(opcode::close, payload);
  }

  [[nodiscard]] std::uint16_t peer_code() const noexcept { return peer_code_; }
  [[nodiscard]] std::string_view protocol() const noexcept { return protocol_; }

 private:
  static constexpr std::size_t buffer_bytes = tare::detail::buffer_pool::buffer_bytes;

  void hold_what_is_here() noexcept {
    (void)exchange_.try_hold_body(reader_.held_bytes() + (input_.empty() ? 0 : buffer_bytes));
  }
  /// A message is admitted before it is assembled. Twice its size, because it moves as it grows.
  task<bool> has_room_for_input() {
    return exchange_.hold_body(2 * (reader_.held_bytes() + input_.size()) + buffer_bytes);
  }
  task<std::error_code> refuse_for_memory() {
    failed_ = true;
    input_.release();
    (void)co_await close(std::to_underlying(close_code::try_again_later), {});
    co_return std::make_error_code(std::errc::not_enough_memory);
  }

  static errc reason_of(close_code code) noexcept {
    switch (code) {
      case close_code::bad_text:
        return errc::bad_text;
      case close_code::too_large:
        return errc::message_too_large;
      default:
        return errc::bad_frame;
    }
  }

  exchange& exchange_;
  net::lease input_;
  frame_reader reader_;
  std::chrono::nanoseconds receive_timeout_;
  std::string protocol_;
  mutex sending_;
  std::uint16_t peer_code_ = 0;
  bool close_sent_ = false;
  bool failed_ = false;
};

}  // namespace detail

namespace {

/// The first of our protocols that the client offers.
std::string agreed_protocol(fields_view fields, const std::vector<std::string>& ours) {
  const auto found = std::ranges::find_if(
      ours, [&](const std::string& name) { return fields.has_token("sec-websocket-protocol", name); });
  return found == ours.end() ? std::string() : *found;
}

}  // namespace

websocket::websocket(std::unique_ptr<detail::websocket_core> core) noexcept : core_(std::move(core)) {}
websocket::websocket(websocket&&) noexcept = default;
websocket& websocket::operator=(websocket&&) noexcept = default;
websocket::~websocket() = default;

task<result<websocket>> websocket::accept(request& asked, response& answer, websocket_options options) {
  const fields_view asks = asked.fields();
  detail::exchange& of = asked.of_;
  const std::string key = detail::accept_key(asks.find("sec-websocket-key").value_or(""));
  const bool handshake = asked.method() == "GET" && asked.minor_version() > 0 && of.body_complete() &&
                         asks.has_token("upgrade", "websocket") && asks.has_token("connection", "upgrade") &&
                         asks.count("sec-websocket-key") == 1 && !key.empty();
  if (!handshake) {
    (void)co_await answer.status(400).send("text/plain", "this is for WebSockets\n");
    co_return std::unexpected(errc::not_an_upgrade);
  }
  if (asks.find("sec-websocket-version") != "13") {
    answer.status(426).set("sec-websocket-version", "13").set("upgrade", "websocket");
    of.response_fields().add("connection", "upgrade");
    (void)co_await answer.send();
    co_return std::unexpected(errc::not_an_upgrade);
  }
  std::string protocol = agreed_protocol(asks, options.protocols);
  fields with;
  with.add("upgrade", "websocket").add("connection", "Upgrade").add("sec-websocket-accept", key);
  if (!protocol.empty()) with.add("sec-websocket-protocol", protocol);
  // Before anything is sent, because frames may follow the handshake in the same buffer, and memory may be short.
  auto core = std::make_unique<detail::websocket_core>(of, options, std::move(protocol));
  if (auto sent = co_await of.upgrade(with); !sent) co_return std::unexpected(sent.error());
  co_return websocket(std::move(core));
}

task<result<websocket::message>> websocket::receive() { return core_->receive(); }

task<result<void>> websocket::send(kind as, std::string_view data) {
  return core_->send(as == kind::text ? detail::opcode::text : detail::opcode::binary, data);
}

task<result<void>> websocket::ping(std::string_view data) {
  constexpr std::size_t max_bytes = 125;
  return core_->send(detail::opcode::ping, data.substr(0, max_bytes));
}

task<result<void>> websocket::close(std::uint16_t code, std::string_view reason) { return core_->close(code, reason); }

std::uint16_t websocket::peer_code() const noexcept { return core_->peer_code(); }
std::string_view websocket::protocol() const noexcept { return core_->protocol(); }

}  // namespace tare::http
