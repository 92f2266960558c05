#include "base/proc/file.hpp"

#include "base/file_descriptor.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace tare::base {

result<std::string> read_proc_file(const std::string& path, std::size_t most) {
  const file_descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return system_error(fmt::format("cannot open {}", path), errno);
  std::string text;
  std::array<char, 4096> piece;
  while (text.size() < most) {
    const ssize_t length = ::read(file.get(), piece.data(), piece.size());
    if (length < 0 && errno == EINTR) continue;
    if (length < 0) return system_error(fmt::format("cannot read {}", path), errno);
    if (length == 0) break;
    text.append(piece.data(), static_cast<std::size_t>(length));
  }
  return text;
}

result<std::string> read_proc_file(pid_t pid, std::string_view name, std::size_t most) {
  return read_proc_file(fmt::format("/proc/{}/{}", pid, name), most);
}

}  // namespace tare::base
