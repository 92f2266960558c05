#pragma once

// System calls that fail or transfer less than requested, in place of src/io/system.cpp in tests that are linked with
// faulty_system.cpp. Unless faults are set, they make the real calls.
//
// Faults keep the kernel's promises: a short read has emptied the socket, and a call that would block has found
// nothing. The reactor depends on this, because readiness is reported only once. So reads are never short and EAGAIN is
// never simulated; writes may be short at any byte.

#include <cstdint>
#include <deque>
#include <random>

namespace tare::testing {

enum class call : std::uint8_t { socket, accept, connect, recv, send };
inline constexpr unsigned call_kinds = 5;

class faults {
 public:
  /// The outcomes of the next calls of a kind, in order: a negative errno fails the call, a positive number limits a
  /// `send` to that many bytes, 0 makes the real call.
  static void script(call kind, std::deque<int> outcomes);
  /// From now on calls fail or transfer less at random, `rate` times out of 1000.
  static void at_random(std::uint32_t seed, unsigned rate);
  static void none();

  /// The number of faults since the last call of `none`.
  [[nodiscard]] static unsigned count();
};

}  // namespace tare::testing
