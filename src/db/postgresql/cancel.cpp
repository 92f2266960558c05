#include "db/postgresql/cancel.hpp"

#include <tare/net/connect.hpp>

#include <span>

namespace tare::db::detail {

std::array<std::byte, 16> cancel_request(const backend_key& key) noexcept {
  constexpr std::uint32_t cancel_code = 80877102;
  std::array<std::byte, 16> request{};
  std::size_t at = 0;
  for (const std::uint32_t number : {std::uint32_t{16}, cancel_code, key.process, key.secret}) {
    for (const unsigned shift : {24U, 16U, 8U, 0U}) request[at++] = static_cast<std::byte>(number >> shift);
  }
  return request;
}

task<> ask_to_cancel(const cancel_target& target, cancel_stage& stage) {
  stage = cancel_stage::not_sent;
  auto over = co_await net::connect(target.server);
  if (!over) co_return;
  const auto request = cancel_request(target.key);
  stage = cancel_stage::sent;
  const auto sent = co_await over->write(std::span<const std::byte>(request));
  if (!sent) co_return;
  const auto end = co_await over->read();
  if (end && end->empty()) stage = cancel_stage::confirmed;
}

}  // namespace tare::db::detail
