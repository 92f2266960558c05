#pragma once

// Reading and writing through a stream's slot, which records readiness.

#include "io/slot.hpp"

#include <tare/net/result.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace tare::net::tls {

/// What must happen before a call can continue.
enum class wanted : std::uint8_t { nothing, readable, writable };

/// std::errc::operation_would_block if nothing has arrived; 0 at the end of the stream.
[[nodiscard]] result<std::size_t> read_some(tare::detail::io_slot& slot, std::span<std::byte> buffer) noexcept;
[[nodiscard]] result<std::size_t> write_some(tare::detail::io_slot& slot, std::span<const std::byte> bytes) noexcept;
/// If the kernel handles the records: sends one of this type, because `write_some` sends user data.
[[nodiscard]] result<std::size_t> write_kernel_record(tare::detail::io_slot& slot, std::uint8_t type,
                                                      std::span<const std::byte> bytes) noexcept;

/// While it exists, calls on the slot are made even if its deadline has expired. For calls that do not wait.
class deadline_ignored {
 public:
  explicit deadline_ignored(tare::detail::io_slot& slot) noexcept
      : slot_(slot), was_expired_(slot.has(tare::detail::io_write_expired)) {
    slot_.clear(tare::detail::io_write_expired);
  }
  ~deadline_ignored() {
    if (was_expired_) slot_.set(tare::detail::io_write_expired);
  }
  deadline_ignored(const deadline_ignored&) = delete;
  deadline_ignored& operator=(const deadline_ignored&) = delete;

 private:
  tare::detail::io_slot& slot_;
  bool was_expired_;
};

}  // namespace tare::net::tls
