#pragma once

// System calls that fail or fall short, in place of src/io/system.cpp: a test that is linked with faulty_system.cpp
// gets these. Without faults set they are the real ones.
//
// Faults keep the kernel's promises: a read that gave less than was asked for has emptied the socket, and a call that
// would have to wait has found nothing, for readiness is announced only once on the strength of them. So reads are
// never cut short and EAGAIN is never made up; writes are cut at any byte.

#include <cstdint>
#include <deque>
#include <random>

namespace tare::testing {

enum class call : std::uint8_t { socket, accept, connect, recv, send };
inline constexpr unsigned call_kinds = 5;

class faults {
 public:
  /// What the next calls of a kind do, one after the other: a negative errno fails, a positive number lets a `send`
  /// take so many bytes at most, 0 lets it be.
  static void script(call kind, std::deque<int> outcomes);
  /// From now on calls fail or fall short at random, `rate` of 1000 times.
  static void at_random(std::uint32_t seed, unsigned rate);
  static void none();

  /// How many faults there were since the last `none`.
  [[nodiscard]] static unsigned count();
};

}  // namespace tare::testing
