#pragma once

// For programs that know how many of their coroutines are suspended: prints a line "COUNT FUNCTION" for each kind, then
// READY, and waits until it is killed.

#include <unistd.h>

#include <cstdio>
#include <initializer_list>

struct announced {
  const char* function;
  unsigned long count;
};

[[noreturn]] inline void announce_and_wait(std::initializer_list<announced> all) {
  for (const auto& one : all) std::printf("%lu %s\n", one.count, one.function);
  std::puts("READY");
  std::fflush(stdout);
  for (;;) ::pause();
}
