#include <tare/net/pipe.hpp>

#include "io/sigpipe_guard.hpp"
#include "net/socket.hpp"

#include <tare/net/readiness.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace tare::net {

void detail::pipe_end::close() noexcept {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

task<result<std::size_t>> pipe_reader::read(std::span<std::byte> buffer) {
  for (;;) {
    const ssize_t got = ::read(native_handle(), buffer.data(), buffer.size());
    if (got >= 0) co_return static_cast<std::size_t>(got);
    if (errno == EINTR) continue;
    if (errno != EAGAIN) co_return detail::last_error();
    const auto ready = co_await wait_readable(native_handle());
    if (!ready) co_return std::unexpected(ready.error());
  }
}

namespace {

ssize_t write_without_signal(int fd, std::span<const std::byte> bytes) noexcept {
  const tare::detail::sigpipe_guard guard;
  const ssize_t written = ::write(fd, bytes.data(), bytes.size());
  return written < 0 ? -errno : written;  // the guard may change errno
}

}  // namespace

task<result<void>> pipe_writer::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write_without_signal(native_handle(), bytes);
    if (written >= 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(written));
      continue;
    }
    if (written == -EINTR) continue;
    if (written != -EAGAIN) co_return detail::failed_with(static_cast<int>(-written));
    const auto ready = co_await wait_writable(native_handle());
    if (!ready) co_return std::unexpected(ready.error());
  }
  co_return result<void>();
}

result<std::pair<pipe_reader, pipe_writer>> make_pipe() noexcept {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) return detail::last_error();
  return std::pair(pipe_reader(ends[0]), pipe_writer(ends[1]));
}

}  // namespace tare::net
