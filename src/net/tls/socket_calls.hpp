#pragma once

// Reading and writing through a stream's slot, which keeps the books on readiness.

#include "io/slot.hpp"

#include <tare/net/result.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace tare::net::tls {

/// What a call lacks to go on.
enum class wanted : std::uint8_t { nothing, readable, writable };

/// std::errc::operation_would_block if nothing is there; 0 at the end of the stream.
[[nodiscard]] result<std::size_t> read_some(tare::detail::io_slot& slot, std::span<std::byte> into) noexcept;
[[nodiscard]] result<std::size_t> write_some(tare::detail::io_slot& slot, std::span<const std::byte> bytes) noexcept;

}  // namespace tare::net::tls
