// Mutexes, condition variables and their like. Their memory is used as libc uses it, by the functions that do not wait;
// waiting is the simulation's.

#include "sim/calls/real.hpp"
#include "sim/kernel.hpp"

#include <pthread.h>
#include <semaphore.h>

#include <cerrno>
#include <cstdint>
#include <ctime>
#include <map>
#include <optional>

using tare::sim::detail::kernel;
using tare::sim::detail::nanoseconds;

namespace tare::sim::detail {

void use_lock_calls() noexcept {}

}  // namespace tare::sim::detail

namespace {

[[nodiscard]] bool is_recursive(const pthread_mutex_t* mutex) noexcept {
  constexpr int kinds = 3;
  return (mutex->__data.__kind & kinds) == PTHREAD_MUTEX_RECURSIVE;
}

/// libc knows only threads, so the fiber that holds a recursive mutex is recorded here.
struct holder {
  std::uint32_t fiber;
  std::uint32_t times;
};
std::map<const pthread_mutex_t*, holder>& holders() {
  static auto& all = *new std::map<const pthread_mutex_t*, holder>;
  return all;
}

[[nodiscard]] int try_lock(kernel& in, pthread_mutex_t* mutex) {
  if (!is_recursive(mutex)) return TARE_SIM_REAL(pthread_mutex_trylock)(mutex);
  auto& all = holders();
  const std::uint32_t self = in.fibers.current()->number;
  const auto [at, is_free] = all.try_emplace(mutex, holder{.fiber = self, .times = 0});
  if (!is_free && at->second.fiber != self) return EBUSY;
  ++at->second.times;
  return 0;
}

void lock(kernel& in, pthread_mutex_t* mutex) {
  while (try_lock(in, mutex) == EBUSY) (void)in.fibers.wait_at(mutex, "pthread_mutex_lock");
  ++in.fibers.current()->locks;
}

int unlock(kernel& in, pthread_mutex_t* mutex) {
  --in.fibers.current()->locks;
  if (is_recursive(mutex)) {
    const auto at = holders().find(mutex);
    if (at == holders().end()) return EPERM;
    if (--at->second.times != 0) return 0;
    holders().erase(at);
  } else if (const int error = TARE_SIM_REAL(pthread_mutex_unlock)(mutex); error != 0) {
    return error;
  }
  (void)in.fibers.wake_at(mutex, 1);
  return 0;
}

int wait(kernel& in, pthread_cond_t* condition, pthread_mutex_t* mutex, std::optional<nanoseconds> deadline) {
  (void)unlock(in, mutex);
  const bool woken = in.fibers.wait_at(condition, "pthread_cond_wait", deadline);
  lock(in, mutex);
  return in.made("pthread_cond_wait", -1, woken ? 0 : ETIMEDOUT);
}

[[nodiscard]] nanoseconds nanoseconds_of(const timespec* time) noexcept {
  return time->tv_sec * 1'000'000'000 + time->tv_nsec;
}

template <class Try>
int take_rwlock(kernel& in, pthread_rwlock_t* lock, Try try_it) {
  int error = 0;
  while ((error = try_it(lock)) == EBUSY) (void)in.fibers.wait_at(lock, "pthread_rwlock_lock");
  return error;
}

}  // namespace

extern "C" {

int pthread_mutex_lock(pthread_mutex_t* mutex) noexcept {
  kernel* const in = kernel::of_caller();
  if (in == nullptr) return TARE_SIM_REAL(pthread_mutex_lock)(mutex);
  if (!in->is_of_all_runs(mutex)) (void)in->made("pthread_mutex_lock", -1, 0);
  lock(*in, mutex);
  return 0;
}

int pthread_mutex_trylock(pthread_mutex_t* mutex) noexcept {
  kernel* const in = kernel::of_caller();
  if (in == nullptr) return TARE_SIM_REAL(pthread_mutex_trylock)(mutex);
  if (!in->is_of_all_runs(mutex)) (void)in->made("pthread_mutex_trylock", -1, 0);
  const int error = try_lock(*in, mutex);
  if (error == 0) ++in->fibers.current()->locks;
  return error;
}

int pthread_mutex_unlock(pthread_mutex_t* mutex) noexcept {
  kernel* const in = kernel::of_caller();
  if (in == nullptr) return TARE_SIM_REAL(pthread_mutex_unlock)(mutex);
  const int error = unlock(*in, mutex);
  if (in->is_of_all_runs(mutex)) return error;
  return in->made("pthread_mutex_unlock", -1, error);
}

int pthread_mutex_timedlock(pthread_mutex_t* mutex, const timespec* until) noexcept {
  kernel* const in = kernel::of_caller();
  if (in == nullptr) return TARE_SIM_REAL(pthread_mutex_timedlock)(mutex, until);
  const nanoseconds deadline = in->deadline_at(nanoseconds_of(until), CLOCK_REALTIME);
  while (try_lock(*in, mutex) == EBUSY) {
    if (!in->fibers.wait_at(mutex, "pthread_mutex_timedlock", deadline)) return ETIMEDOUT;
  }
  ++in->fibers.current()->locks;
  return 0;
}

int pthread_cond_wait(pthread_cond_t* condition, pthread_mutex_t* mutex) {
  kernel* const in = kernel::of_caller();
  if (in == nullptr) return TARE_SIM_REAL_CONDITION(pthread_cond_wait)(condition, mutex);
  return wait(*in, condition, mutex, std::nullopt);
}

int pthread_cond_timedwait(pthread_cond_t* condition, pthread_mutex_t* mutex, const timespec* until) {
  kernel* const in = kernel::of_caller();
  if (in == nullptr) return TARE_SIM_REAL_CONDITION(pthread_cond_timedwait)(condition, mutex, until);
  constexpr unsigned is_monotonic = 2;
  const clockid_t clock = (condition->__data.__wrefs & is_monotonic) != 0 ? CLOCK_MONOTONIC : CLOCK_REALTIME;
  return wait(*in, condition, mutex, in->deadline_at(nanoseconds_of(until), clock));
}

int pthread_cond_clockwait(pthread_cond_t* condition, pthread_mutex_t* mutex, clockid_t clock, const timespec* until) {
  kernel* const in = kernel::of_caller();
  if (in == nullptr) return TARE_SIM_REAL(pthread_cond_clockwait)(condition, mutex, clock, until);
  return wait(*in, condition, mutex, in->deadline_at(nanoseconds_of(until), clock));
}

int pthread_cond_signal(pthread_cond_t* condition) noexcept {
  kernel* const in = kernel::of_caller();
  if (in == nullptr) return TARE_SIM_REAL_CONDITION(pthread_cond_signal)(condition);
  (void)in->fibers.wake_at(condition, 1);
  return in->made("pthread_cond_signal", -1, 0);
}

int pthread_cond_broadcast(pthread_cond_t* condition) noexcept {
  kernel* const in = kernel::of_caller();
  if (in == nullptr) return TARE_SIM_REAL_CONDITION(pthread_cond_broadcast)(condition);
  (void)in->fibers.wake_at(condition, SIZE_MAX);
  return in->made("pthread_cond_broadcast", -1, 0);
}

int pthread_rwlock_rdlock(pthread_rwlock_t* lock) noexcept {
  kernel* const in = kernel::of_caller();
  if (in == nullptr) return TARE_SIM_REAL(pthread_rwlock_rdlock)(lock);
  return take_rwlock(*in, lock, TARE_SIM_REAL(pthread_rwlock_tryrdlock));
}

int pthread_rwlock_wrlock(pthread_rwlock_t* lock) noexcept {
  kernel* const in = kernel::of_caller();
  if (in == nullptr) return TARE_SIM_REAL(pthread_rwlock_wrlock)(lock);
  return take_rwlock(*in, lock, TARE_SIM_REAL(pthread_rwlock_trywrlock));
}

int pthread_rwlock_unlock(pthread_rwlock_t* lock) noexcept {
  const int error = TARE_SIM_REAL(pthread_rwlock_unlock)(lock);
  if (kernel* const in = kernel::of_caller(); in != nullptr) (void)in->fibers.wake_at(lock, SIZE_MAX);
  return error;
}

int pthread_once(pthread_once_t* control, void (*routine)()) {
  kernel* const in = kernel::of_caller();
  if (in == nullptr) return TARE_SIM_REAL(pthread_once)(control, routine);
  static auto& running = *new std::map<const pthread_once_t*, std::uint32_t>;
  constexpr pthread_once_t done = 2;
  while (*control != done && running.contains(control)) (void)in->fibers.wait_at(control, "pthread_once");
  if (*control == done) return 0;
  running.emplace(control, in->fibers.current()->number);
  routine();
  running.erase(control);
  const int error = TARE_SIM_REAL(pthread_once)(control, [] {});
  (void)in->fibers.wake_at(control, SIZE_MAX);
  return error;
}

int sem_wait(sem_t* semaphore) {
  kernel* const in = kernel::of_caller();
  if (in == nullptr) return TARE_SIM_REAL(sem_wait)(semaphore);
  while (TARE_SIM_REAL(sem_trywait)(semaphore) != 0) (void)in->fibers.wait_at(semaphore, "sem_wait");
  return 0;
}

int sem_post(sem_t* semaphore) noexcept {
  const int result = TARE_SIM_REAL(sem_post)(semaphore);
  if (kernel* const in = kernel::of_caller(); in != nullptr) (void)in->fibers.wake_at(semaphore, 1);
  return result;
}

int sem_timedwait(sem_t* semaphore, const timespec* until) {
  if (kernel::of_caller() != nullptr) kernel::refuse("sem_timedwait");
  return TARE_SIM_REAL(sem_timedwait)(semaphore, until);
}
}
