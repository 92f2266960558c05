#pragma once

// How a reactor learns from the kernel which descriptors are ready: epoll or io_uring.

#include "io/slot.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <system_error>

namespace tare::detail {

/// Events of a descriptor as bits; the values are those of poll(2) and epoll.
inline constexpr std::uint32_t event_in = 0x001;
inline constexpr std::uint32_t event_out = 0x004;
inline constexpr std::uint32_t event_error = 0x008;
inline constexpr std::uint32_t event_hang_up = 0x010;
inline constexpr std::uint32_t event_peer_closed = 0x2000;

/// All calls except `wake` come from the shard's thread. Events are reported through reactor::on_event, inside `wait`.
class poller {
 public:
  poller() = default;
  virtual ~poller() = default;
  poller(const poller&) = delete;
  poller& operator=(const poller&) = delete;

  /// From now on reports every change of the slot's descriptor, and once its current state.
  [[nodiscard]] virtual std::error_code watch(io_slot& slot) noexcept = 0;
  /// Reports one of `events` once; replaces an earlier request for the same slot.
  [[nodiscard]] virtual std::error_code watch_once(io_slot& slot, std::uint32_t events) noexcept = 0;
  /// Ends the reports; call it before the descriptor is closed. While the slot remains `io_armed` afterwards, it must
  /// be kept until reactor::on_disarmed.
  virtual void unwatch(io_slot& slot) noexcept = 0;

  /// Reports pending events; if there are none, waits for one, for `wake`, or for `longest` (zero: does not wait;
  /// nullopt: no limit).
  virtual void wait(std::optional<std::chrono::nanoseconds> longest) noexcept = 0;
  virtual void wake() noexcept = 0;
  /// A descriptor that is readable when `wait` would report something, or after `wake`.
  [[nodiscard]] virtual int native_handle() const noexcept = 0;
  /// True if a request that the kernel has not accepted yet has to be made again, by the next `wait`.
  [[nodiscard]] virtual bool has_to_retry() const noexcept { return false; }

  /// True if the kernel closes watched descriptors only some time after the process has ended.
  [[nodiscard]] virtual bool holds_descriptors() const noexcept { return false; }
  [[nodiscard]] virtual const char* name() const noexcept = 0;
};

}  // namespace tare::detail
