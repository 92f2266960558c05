// Threads, which are fibers in a simulation.

#include "sim/calls/real.hpp"
#include "sim/kernel.hpp"

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <optional>

using tare::sim::detail::fiber;
using tare::sim::detail::kernel;
using tare::sim::detail::nanoseconds;

namespace {

// A fiber's pthread_t; no real thread has such an address.
constexpr pthread_t first_thread = 0x7a00000000000000U;

[[nodiscard]] bool is_fiber(pthread_t thread) noexcept { return (thread & first_thread) == first_thread; }
[[nodiscard]] std::uint32_t number_of(pthread_t thread) noexcept { return static_cast<std::uint32_t>(thread); }

[[nodiscard]] long futex(kernel& in, const long* arguments) {
  auto* const word = reinterpret_cast<std::uint32_t*>(arguments[0]);
  const auto value = static_cast<std::uint32_t>(arguments[2]);
  const auto* const time = reinterpret_cast<const timespec*>(arguments[3]);
  const long operation = arguments[1] & FUTEX_CMD_MASK;
  if (operation == FUTEX_WAKE) {
    const auto woken = static_cast<long>(in.fibers.wake_at(word, value));
    return in.made("futex_wake", -1, woken);
  }
  if (operation != FUTEX_WAIT && operation != FUTEX_WAIT_BITSET) kernel::refuse("this operation of futex");
  (void)in.made("futex_wait", -1, 0);
  // As in the kernel, the comparison and the wait are one step.
  if (__atomic_load_n(word, __ATOMIC_SEQ_CST) != value) {
    errno = EAGAIN;
    return -1;
  }
  std::optional<nanoseconds> deadline;
  if (time != nullptr) {
    const nanoseconds given = time->tv_sec * 1'000'000'000 + time->tv_nsec;
    const bool real_time = (arguments[1] & FUTEX_CLOCK_REALTIME) != 0;
    deadline = operation == FUTEX_WAIT ? in.fibers.now() + in.here().lasting(given)
                                       : in.deadline_at(given, real_time ? CLOCK_REALTIME : CLOCK_MONOTONIC);
  }
  if (in.fibers.wait_at(word, "futex", deadline)) return 0;
  errno = ETIMEDOUT;
  return -1;
}

}  // namespace

namespace tare::sim::detail {

void use_thread_calls() noexcept {}

}  // namespace tare::sim::detail

extern "C" {

[[gnu::weak]] int __interceptor_pthread_create(pthread_t* thread, const pthread_attr_t* attributes,
                                               void* (*start)(void*), void* argument) noexcept;

int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*start)(void*),
                   void* argument) noexcept {
  kernel* const in = kernel::of_caller();
  if (in == nullptr) {
    // AddressSanitizer has to know its threads.
    auto* const real =
        __interceptor_pthread_create != nullptr ? &__interceptor_pthread_create : TARE_SIM_REAL(pthread_create);
    return real(thread, attributes, start, argument);
  }
  fiber& started = in->fibers.start([in, start, argument] { in->fibers.current()->result = start(argument); },
                                    in->fibers.current()->on);
  int detached = PTHREAD_CREATE_JOINABLE;
  if (attributes != nullptr) (void)::pthread_attr_getdetachstate(attributes, &detached);
  started.detached = detached == PTHREAD_CREATE_DETACHED;
  *thread = first_thread | started.number;
  return in->made("pthread_create", -1, 0);
}

int pthread_join(pthread_t thread, void** result) {
  kernel* const in = kernel::of_caller();
  if (in == nullptr || !is_fiber(thread)) return TARE_SIM_REAL(pthread_join)(thread, result);
  fiber* const joined = in->fibers.find(number_of(thread));
  if (joined == nullptr) return ESRCH;
  while (!joined->done) (void)in->fibers.wait_at(joined, "pthread_join");
  if (result != nullptr) *result = joined->result;
  in->fibers.forget(*joined);
  return in->made("pthread_join", -1, 0);
}

int pthread_detach(pthread_t thread) noexcept {
  kernel* const in = kernel::of_caller();
  if (in == nullptr || !is_fiber(thread)) return TARE_SIM_REAL(pthread_detach)(thread);
  fiber* const detached = in->fibers.find(number_of(thread));
  if (detached == nullptr) return ESRCH;
  detached->detached = true;
  if (detached->done) in->fibers.forget(*detached);
  return 0;
}

int sched_yield() noexcept {
  kernel* const in = kernel::of_caller();
  if (in == nullptr) return TARE_SIM_REAL(sched_yield)();
  in->fibers.yield();
  return 0;
}

int pthread_key_create(pthread_key_t* key, void (*destroy)(void*)) noexcept {
  const int error = TARE_SIM_REAL(pthread_key_create)(key, destroy);
  if (error == 0) tare::sim::detail::remember_key(*key, destroy);
  return error;
}

int pthread_key_delete(pthread_key_t key) noexcept {
  tare::sim::detail::remember_key(key, nullptr);
  return TARE_SIM_REAL(pthread_key_delete)(key);
}

void* pthread_getspecific(pthread_key_t key) noexcept {
  kernel* const in = kernel::of_caller();
  if (in == nullptr || !tare::sim::detail::is_of_fibers(key)) return TARE_SIM_REAL(pthread_getspecific)(key);
  return in->fibers.current()->variables.value_of(key);
}

int pthread_setspecific(pthread_key_t key, const void* value) noexcept {
  kernel* const in = kernel::of_caller();
  if (in == nullptr || !tare::sim::detail::is_of_fibers(key)) return TARE_SIM_REAL(pthread_setspecific)(key, value);
  in->fibers.current()->variables.set_value_of(key, const_cast<void*>(value));
  return 0;
}

// The C++ library registers the destructors of thread_local variables with it.
int __cxa_thread_atexit(void (*destroy)(void*), void* object, void* library) noexcept;
int __cxa_thread_atexit(void (*destroy)(void*), void* object, void* library) noexcept {
  kernel* const in = kernel::of_caller();
  if (in != nullptr) {
    in->fibers.current()->variables.at_end(destroy, object);
    return 0;
  }
  static constinit decltype(&__cxa_thread_atexit) kept = nullptr;
  return tare::sim::detail::real::next(kept, "__cxa_thread_atexit")(destroy, object, library);
}

void pthread_exit(void* result) {
  if (kernel::of_caller() != nullptr) kernel::refuse("pthread_exit");
  TARE_SIM_REAL(pthread_exit)(result);
  __builtin_unreachable();
}

int pthread_cancel(pthread_t thread) {
  if (kernel::of_caller() != nullptr) kernel::refuse("pthread_cancel");
  return TARE_SIM_REAL(pthread_cancel)(thread);
}

// NOLINTNEXTLINE(cert-dcl50-cpp): libc's own
long syscall(long number, ...) noexcept {
  std::array<long, 6> arguments{};
  va_list given;
  va_start(given, number);
  for (long& each : arguments) each = va_arg(given, long);
  va_end(given);
  kernel* const in = kernel::of_caller();
  if (in == nullptr || number == SYS_gettid || number == SYS_membarrier) {
    return TARE_SIM_REAL(syscall)(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4],
                                  arguments[5]);
  }
  switch (number) {
    case SYS_futex:
      return futex(*in, arguments.data());
    case SYS_getrandom:
      in->fill_random(reinterpret_cast<void*>(arguments[0]), static_cast<std::size_t>(arguments[1]));
      return arguments[1];
    case SYS_io_uring_setup:
      errno = ENOSYS;
      return -1;
    default:
      kernel::refuse("syscall");
  }
}
}
