#pragma once

// How a reactor learns from the kernel what is ready: epoll, or io_uring.

#include "io/slot.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <system_error>

namespace tare::detail {

/// What a descriptor has become, in bits; the numbers are poll(2)'s and epoll's.
inline constexpr std::uint32_t event_in = 0x001;
inline constexpr std::uint32_t event_out = 0x004;
inline constexpr std::uint32_t event_error = 0x008;
inline constexpr std::uint32_t event_hang_up = 0x010;
inline constexpr std::uint32_t event_peer_closed = 0x2000;

/// All calls come from the shard's thread, except `wake`. Events are reported by reactor::on_event, from within `wait`.
class poller {
 public:
  poller() = default;
  virtual ~poller() = default;
  poller(const poller&) = delete;
  poller& operator=(const poller&) = delete;

  /// From now on every change of the slot's descriptor is reported, and its present state once.
  [[nodiscard]] virtual std::error_code watch(io_slot& slot) noexcept = 0;
  /// Reports once that one of `events` is there; replaces what was asked before about the same slot.
  [[nodiscard]] virtual std::error_code watch_once(io_slot& slot, std::uint32_t events) noexcept = 0;
  /// Ends it; to be called before the descriptor is closed. While the slot is `io_armed` after this, it must stay:
  /// reactor::on_disarmed will tell.
  virtual void unwatch(io_slot& slot) noexcept = 0;

  /// Reports what there is; if there is nothing, waits for it, for `wake`, or for `longest` (zero: not at all; nullopt:
  /// without a limit).
  virtual void wait(std::optional<std::chrono::nanoseconds> longest) noexcept = 0;
  virtual void wake() noexcept = 0;

  /// The kernel closes what it watches some time after the process has ended.
  [[nodiscard]] virtual bool holds_descriptors() const noexcept { return false; }
  [[nodiscard]] virtual const char* name() const noexcept = 0;
};

}  // namespace tare::detail
