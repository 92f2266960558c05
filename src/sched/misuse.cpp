#include <tare/detail/misuse.hpp>

#include <cstdio>
#include <cstdlib>

namespace tare::detail {

void misuse(const char* message) noexcept {
  std::fprintf(stderr, "tare: %s\n", message);
  std::abort();
}

}  // namespace tare::detail
