#include "sched/parker.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <ctime>

namespace tare::detail {

void futex::wait(std::atomic<std::uint32_t>& word, std::uint32_t value,
                 std::optional<std::chrono::nanoseconds> longest) noexcept {
  timespec relative{};
  if (longest) {
    relative.tv_sec = static_cast<std::time_t>(longest->count() / 1'000'000'000);
    relative.tv_nsec = longest->count() % 1'000'000'000;
  }
  (void)::syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, value, longest ? &relative : nullptr, nullptr, 0);
}

void futex::wake(std::atomic<std::uint32_t>& word) noexcept {
  (void)::syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
}

}  // namespace tare::detail
