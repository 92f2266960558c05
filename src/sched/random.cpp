#include <tare/detail/random.hpp>

#include <sys/random.h>

#include <chrono>
#include <cstdint>

namespace tare::detail {

namespace {

std::uint64_t first_state() noexcept {
  std::uint64_t state = 0;
  if (::getrandom(&state, sizeof(state), GRND_NONBLOCK) == sizeof(state) && state != 0) return state;
  // Early in a boot the kernel has no random numbers yet. The address differs between threads.
  const auto time = static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
  return (time ^ reinterpret_cast<std::uintptr_t>(&state)) | 1U;
}

}  // namespace

std::size_t random_below(std::size_t count) noexcept {
  // xorshift (Marsaglia, 2003). The state must not be 0.
  static thread_local std::uint64_t state = first_state();
  state ^= state << 13U;
  state ^= state >> 7U;
  state ^= state << 17U;
  return static_cast<std::size_t>((state >> 32U) * count >> 32U);
}

}  // namespace tare::detail
