#include "load/websocket_client.hpp"

#include "load/http_exchange.hpp"

#include <tare/net/lease.hpp>

#include <fmt/format.h>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace tare::load {
namespace {

using http::detail::frame_reader;
using http::detail::opcode;

/// A final frame with a masked payload. The mask does not change: it protects proxies, and here there are none.
std::string masked_frame(opcode as, std::string_view payload) {
  constexpr http::detail::frame_mask mask{std::byte{0x37}, std::byte{0xFA}, std::byte{0x21}, std::byte{0x3D}};
  const http::detail::frame_head head(as, payload.size(), mask);
  std::string frame(reinterpret_cast<const char*>(head.bytes().data()), head.bytes().size());
  frame += payload;
  http::detail::apply_mask(std::as_writable_bytes(std::span(frame).last(payload.size())), mask, 0);
  return frame;
}

}  // namespace

task<std::expected<void, failure>> websocket_client::finish_handshake(http::detail::transport over) {
  const std::string expected = http::detail::accept_key(key);
  auto rest = co_await receive_switch(over, expected);
  if (!rest) co_return std::unexpected(rest.error());
  unread_ = std::move(*rest);
  co_return std::expected<void, failure>();
}

task<std::expected<void, failure>> websocket_client::echo(http::detail::transport over, unsigned messages) {
  for (unsigned i = 0; i < messages; ++i) {
    const std::string text = fmt::format("message {} of a connection that is weighed", i);
    if (auto sent = co_await send(over, opcode::text, text); !sent) co_return sent;
    const auto echoed = co_await receive(over);
    if (!echoed) co_return std::unexpected(echoed.error());
    if (*echoed != text) co_return std::unexpected(failure("did not echo a WebSocket message"));
  }
  co_return std::expected<void, failure>();
}

task<std::expected<void, failure>> websocket_client::send(http::detail::transport over, opcode as,
                                                          std::string_view payload) {
  const std::string frame = masked_frame(as, payload);
  co_return co_await send_all(over, frame);
}

task<std::expected<std::string, failure>> websocket_client::receive(http::detail::transport over) {
  for (;;) {
    const auto reached = reader_.feed(std::as_writable_bytes(std::span(unread_)));
    unread_.erase(0, reader_.consumed());
    if (reached == frame_reader::progress::message) co_return reader_.take_message();
    if (reached == frame_reader::progress::failed) co_return std::unexpected(failure("sent what is not WebSocket"));
    if (reached == frame_reader::progress::close) {
      co_return std::unexpected(fmt::format("closed the WebSocket with code {}", reader_.code()));
    }
    if (reached == frame_reader::progress::ping) {
      const std::string payload(reader_.control());
      if (auto sent = co_await send(over, opcode::pong, payload); !sent) co_return std::unexpected(sent.error());
    }
    if (reached != frame_reader::progress::incomplete) continue;
    auto got = co_await over.read();
    if (!got) co_return std::unexpected(fmt::format("cannot receive: {}", got.error().message()));
    if (got->empty()) co_return std::unexpected(failure("closed the connection without a close frame"));
    const auto bytes = got->bytes();
    unread_.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
}

}  // namespace tare::load
