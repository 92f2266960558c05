#include "measure/process/pipe.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace tare::measure {

base::result<base::file_descriptor> above_standard_streams(base::file_descriptor file) {
  if (file.get() > STDERR_FILENO) return file;
  base::file_descriptor higher(::fcntl(file.get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
  if (!higher) return base::system_error("cannot duplicate a file descriptor", errno);
  return higher;
}

base::result<pipe_ends> open_pipe() {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) return base::system_error("cannot open a pipe", errno);
  base::file_descriptor first(fds[0]);
  base::file_descriptor second(fds[1]);
  auto reader = above_standard_streams(std::move(first));
  if (!reader) return std::unexpected(std::move(reader.error()));
  auto writer = above_standard_streams(std::move(second));
  if (!writer) return std::unexpected(std::move(writer.error()));
  return pipe_ends{std::move(*reader), std::move(*writer)};
}

base::result<void> make_non_blocking(const base::file_descriptor& file) {
  const int flags = ::fcntl(file.get(), F_GETFL);
  if (flags < 0 || ::fcntl(file.get(), F_SETFL, flags | O_NONBLOCK) != 0)
    return base::system_error("cannot make a pipe non-blocking", errno);
  return {};
}

}  // namespace tare::measure
