#pragma once

// The functions of libc that this folder defines anew, for calls outside simulations.

#include <dlfcn.h>

#include <ctime>
#include <type_traits>

namespace tare::sim::detail::real {

template <class Function>
[[nodiscard]] Function next(Function& kept, const char* name) noexcept {
  if (kept == nullptr) kept = reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
  return kept;
}
/// The condition variables of glibc 2.3.2, which all programs use, and not older ones of the same name.
template <class Function>
[[nodiscard]] Function next_condition(Function& kept, const char* name) noexcept {
  if (kept == nullptr) kept = reinterpret_cast<Function>(::dlvsym(RTLD_NEXT, name, "GLIBC_2.3.2"));
  return next(kept, name);
}

int clock_gettime(clockid_t clock, timespec* into) noexcept;

}  // namespace tare::sim::detail::real

// A pointer to the definition of a function that comes after the program's own: libc's. Plain static pointers, because
// these functions are called before the program's constructors.
// NOLINTBEGIN(cppcoreguidelines-macro-usage): the name is needed as text too
#define TARE_SIM_REAL(name)                                         \
  ([]() noexcept {                                                  \
    static constinit std::decay_t<decltype(::name)> kept = nullptr; \
    return ::tare::sim::detail::real::next(kept, #name);            \
  }())
#define TARE_SIM_REAL_CONDITION(name)                               \
  ([]() noexcept {                                                  \
    static constinit std::decay_t<decltype(::name)> kept = nullptr; \
    return ::tare::sim::detail::real::next_condition(kept, #name);  \
  }())
// NOLINTEND(cppcoreguidelines-macro-usage)
