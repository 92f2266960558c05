#include "frame/resident_memory.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <charconv>

namespace tare::detail {

std::size_t resident_bytes() noexcept {
  // "size resident shared ..." in pages. Opened each time, because an open descriptor would be inherited by forked
  // processes.
  const int file = ::open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  std::array<char, 128> text{};
  const ssize_t size = ::read(file, text.data(), text.size());
  ::close(file);
  if (size <= 0) return 0;
  const char* const end = text.data() + size;
  std::size_t pages = 0;
  const auto [after, failure] = std::from_chars(text.data(), end, pages);
  if (failure != std::errc() || after == end) return 0;
  if (std::from_chars(after + 1, end, pages).ec != std::errc()) return 0;
  return pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace tare::detail
