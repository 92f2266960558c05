// Clocks and sleeps.

#include <sys/time.h>

#include "sim/calls/real.hpp"
#include "sim/kernel.hpp"

#include <sys/random.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>

using tare::sim::detail::kernel;
using tare::sim::detail::nanoseconds;

namespace tare::sim::detail {

void use_time_calls() noexcept {}

int real::clock_gettime(clockid_t clock, timespec* into) noexcept { return TARE_SIM_REAL(clock_gettime)(clock, into); }

}  // namespace tare::sim::detail

namespace {

constexpr nanoseconds per_second = 1'000'000'000;

/// 0, or an error number.
int sleep_until(kernel& in, nanoseconds world) {
  (void)in.made("sleep", -1, 0);
  static const char nobody_wakes = 0;
  while (in.fibers.now() < world) (void)in.fibers.wait_at(&nobody_wakes, "sleep", world);
  return 0;
}

int sleep_for(kernel& in, nanoseconds time) { return sleep_until(in, in.fibers.now() + in.here().lasting(time)); }

}  // namespace

extern "C" {

int clock_gettime(clockid_t clock, timespec* into) noexcept {
  kernel* const in = kernel::of_caller();
  if (in == nullptr) return tare::sim::detail::real::clock_gettime(clock, into);
  const nanoseconds shown = in->read_clock(clock);
  into->tv_sec = shown / per_second;
  into->tv_nsec = shown % per_second;
  return 0;
}

int gettimeofday(timeval* into, void* zone) noexcept {
  kernel* const in = kernel::of_caller();
  if (in == nullptr) return TARE_SIM_REAL(gettimeofday)(into, zone);
  const nanoseconds shown = in->read_clock(CLOCK_REALTIME);
  into->tv_sec = shown / per_second;
  into->tv_usec = shown % per_second / 1000;
  return 0;
}

time_t time(time_t* into) noexcept {
  kernel* const in = kernel::of_caller();
  if (in == nullptr) return TARE_SIM_REAL(time)(into);
  const time_t shown = in->read_clock(CLOCK_REALTIME) / per_second;
  if (into != nullptr) *into = shown;
  return shown;
}

int nanosleep(const timespec* time, timespec* left) {
  kernel* const in = kernel::of_caller();
  if (in == nullptr) return TARE_SIM_REAL(nanosleep)(time, left);
  return sleep_for(*in, time->tv_sec * per_second + time->tv_nsec);
}

int clock_nanosleep(clockid_t clock, int flags, const timespec* time, timespec* left) {
  kernel* const in = kernel::of_caller();
  if (in == nullptr) return TARE_SIM_REAL(clock_nanosleep)(clock, flags, time, left);
  const nanoseconds given = time->tv_sec * per_second + time->tv_nsec;
  return (flags & TIMER_ABSTIME) != 0 ? sleep_until(*in, in->deadline_at(given, clock)) : sleep_for(*in, given);
}

int usleep(useconds_t microseconds) {
  kernel* const in = kernel::of_caller();
  if (in == nullptr) return TARE_SIM_REAL(usleep)(microseconds);
  return sleep_for(*in, nanoseconds{microseconds} * 1000);
}

unsigned sleep(unsigned seconds) {
  kernel* const in = kernel::of_caller();
  if (in == nullptr) return TARE_SIM_REAL(sleep)(seconds);
  return static_cast<unsigned>(sleep_for(*in, nanoseconds{seconds} * per_second));
}

ssize_t getrandom(void* into, size_t size, unsigned flags) {
  kernel* const in = kernel::of_caller();
  if (in == nullptr) return TARE_SIM_REAL(getrandom)(into, size, flags);
  in->fill_random(into, size);
  return static_cast<ssize_t>(size);
}

int getentropy(void* into, size_t size) {
  kernel* const in = kernel::of_caller();
  if (in == nullptr) return TARE_SIM_REAL(getentropy)(into, size);
  in->fill_random(into, size);
  return 0;
}
}
