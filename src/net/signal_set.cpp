#include <tare/net/signal_set.hpp>

#include "net/socket.hpp"
#include "sched/usage.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <utility>

namespace tare::net {

namespace {

// A signal handler has no user argument, so the destination of each signal is global. The value is the descriptor to
// send to, plus 1; 0 means none.
constexpr int max_signals = 65;
constinit std::array<std::atomic<int>, max_signals> receivers{};

std::atomic<int>& receiver_of(int number) noexcept { return receivers[static_cast<std::size_t>(number)]; }

void pass_on(int number) noexcept {
  const int saved = errno;
  const int to = receiver_of(number).load(std::memory_order_acquire) - 1;
  const auto byte = static_cast<unsigned char>(number);
  if (to >= 0) (void)::send(to, &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
  errno = saved;
}

}  // namespace

result<signal_set> signal_set::of(std::initializer_list<int> signals) {
  tare::detail::require_task("tare::net::signal_set::of");
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return detail::last_error();
  }
  detail::socket_handle reading(ends[0]);
  detail::socket_handle sending(ends[1]);
  const result<detail::link> slot = detail::adopt(reading);
  if (!slot) return std::unexpected(slot.error());
  signal_set made(detail::stream_of(*slot), sending.release());
  made.signals_.reserve(signals.size());
  for (const int number : signals) {
    if (number <= 0 || number >= max_signals) return std::unexpected(std::make_error_code(std::errc::invalid_argument));
    int free = 0;
    if (!receiver_of(number).compare_exchange_strong(free, made.sending_ + 1)) {
      return std::unexpected(std::make_error_code(std::errc::device_or_resource_busy));
    }
    struct sigaction ours{};
    ours.sa_handler = &pass_on;
    ours.sa_flags = SA_RESTART;
    ::sigfillset(&ours.sa_mask);
    entry added{.number = number, .before = {}};
    if (::sigaction(number, &ours, &added.before) != 0) {
      const int error = errno;
      receiver_of(number).store(0, std::memory_order_release);
      return detail::failed_with(error);
    }
    made.signals_.push_back(added);
  }
  return made;
}

signal_set& signal_set::operator=(signal_set&& other) noexcept {
  restore();
  receiving_ = std::move(other.receiving_);
  sending_ = std::exchange(other.sending_, -1);
  signals_ = std::exchange(other.signals_, {});
  return *this;
}

signal_set::signal_set(signal_set&& other) noexcept
    : receiving_(std::move(other.receiving_)),
      sending_(std::exchange(other.sending_, -1)),
      signals_(std::exchange(other.signals_, {})) {}

signal_set::~signal_set() { restore(); }

void signal_set::restore() noexcept {
  for (const entry& each : signals_) {
    ::sigaction(each.number, &each.before, nullptr);
    receiver_of(each.number).store(0, std::memory_order_release);
  }
  signals_.clear();
  // A handler that still runs on another thread may send to this descriptor. At worst, it finds the descriptor closed.
  if (sending_ >= 0) ::close(std::exchange(sending_, -1));
}

task<result<int>> signal_set::next() {
  std::byte number{};
  const auto got = co_await receiving_.read(std::span(&number, 1));
  if (!got) co_return std::unexpected(got.error());
  if (*got == 0) co_return std::unexpected(std::make_error_code(std::errc::operation_canceled));
  co_return static_cast<int>(number);
}

}  // namespace tare::net
