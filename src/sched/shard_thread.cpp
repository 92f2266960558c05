#include "sched/shard_thread.hpp"

#include <pthread.h>
#include <sched.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <system_error>

namespace tare::detail {

void name_this_thread(const std::string& name, shard_id number) noexcept {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "%.11s/%u", name.c_str(), static_cast<unsigned>(number));
  (void)::pthread_setname_np(::pthread_self(), text.data());  // only for people: nothing depends on it
}

void pin_thread(std::thread& thread, shard_id number) {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (::sched_getaffinity(0, sizeof(allowed), &allowed) != 0) {
    throw std::system_error(errno, std::generic_category(), "tare: runtime_options::pin: sched_getaffinity");
  }
  unsigned skip = static_cast<unsigned>(number) % static_cast<unsigned>(CPU_COUNT(&allowed));
  std::size_t processor = 0;
  while (!CPU_ISSET(processor, &allowed) || skip-- != 0) ++processor;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(processor, &one);
  if (const int error = ::pthread_setaffinity_np(thread.native_handle(), sizeof(one), &one); error != 0) {
    throw std::system_error(error, std::generic_category(), "tare: runtime_options::pin: pthread_setaffinity_np");
  }
}

}  // namespace tare::detail
