#include "net/tls/socket_calls.hpp"

#include "io/reactor.hpp"

#include <tare/detail/io_wait.hpp>

namespace tare::net::tls {

using tare::detail::io_call;
using tare::detail::io_slot;
using tare::detail::reactor;

namespace {

std::unexpected<std::error_code> would_block() noexcept {
  return std::unexpected(std::make_error_code(std::errc::operation_would_block));
}

result<std::size_t> performed(io_slot& slot, io_call call, tare::detail::io_wait& wait) noexcept {
  if (!reactor::if_any()->perform(slot, call, wait)) return would_block();
  const tare::detail::io_outcome& made = reactor::if_any()->outcome();
  if (made.error != 0) return std::unexpected(std::error_code(made.error, std::generic_category()));
  return made.count;
}

}  // namespace

result<std::size_t> read_some(io_slot& slot, std::span<std::byte> into) noexcept {
  // What is known to have nothing is not asked.
  if (!slot.has(tare::detail::io_readable | tare::detail::io_read_expired)) return would_block();
  tare::detail::io_read_wait wait(tare::detail::to_link(&slot), into);
  return performed(slot, io_call::read, wait);
}

result<std::size_t> write_some(io_slot& slot, std::span<const std::byte> bytes) noexcept {
  tare::detail::io_write_wait wait(tare::detail::to_link(&slot), bytes);
  return performed(slot, io_call::write_some, wait);
}

}  // namespace tare::net::tls
