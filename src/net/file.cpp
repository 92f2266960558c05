#include <tare/net/file.hpp>

#include "net/socket.hpp"

#include <tare/offload.hpp>

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace tare::net {

namespace {

using detail::last_error;

/// A single call that transfers at most `left` bytes. Returns the count, or -1.
template <class Call>
result<std::size_t> once(Call call) {
  ssize_t moved = 0;
  do {
    moved = call();
  } while (moved < 0 && errno == EINTR);
  if (moved < 0) return last_error();
  return static_cast<std::size_t>(moved);
}

/// Calls `call(bytes already written)` until everything is written.
template <class Call>
result<void> all_of(std::size_t size, Call call) {
  for (std::size_t done = 0; done < size;) {
    const result<std::size_t> moved = once([&] { return call(done); });
    if (!moved) return std::unexpected(moved.error());
    done += *moved;
  }
  return {};
}

}  // namespace

task<result<file>> file::open(std::string path, int flags, mode_t permissions) {
  co_return co_await offload([&]() -> result<file> {
    int fd = -1;
    do {
      fd = ::open(path.c_str(), flags | O_CLOEXEC, permissions);
    } while (fd < 0 && errno == EINTR);
    if (fd < 0) return last_error();
    return file(fd);
  });
}

task<result<std::size_t>> file::read(std::span<std::byte> buffer) {
  co_return co_await offload(
      [this, buffer] { return once([&] { return ::read(fd_, buffer.data(), buffer.size()); }); });
}

task<result<std::size_t>> file::read_at(std::uint64_t offset, std::span<std::byte> buffer) {
  co_return co_await offload([this, offset, buffer] {
    return once([&] { return ::pread(fd_, buffer.data(), buffer.size(), static_cast<off_t>(offset)); });
  });
}

task<result<void>> file::write(std::span<const std::byte> bytes) {
  co_return co_await offload([this, bytes] {
    return all_of(bytes.size(),
                  [&](std::size_t done) { return ::write(fd_, bytes.data() + done, bytes.size() - done); });
  });
}

task<result<void>> file::write_at(std::uint64_t offset, std::span<const std::byte> bytes) {
  co_return co_await offload([this, offset, bytes] {
    return all_of(bytes.size(), [&](std::size_t done) {
      return ::pwrite(fd_, bytes.data() + done, bytes.size() - done, static_cast<off_t>(offset + done));
    });
  });
}

task<result<void>> file::sync() {
  co_return co_await offload([this]() -> result<void> {
    if (::fdatasync(fd_) != 0) return last_error();
    return {};
  });
}

task<result<std::uint64_t>> file::size() {
  co_return co_await offload([this]() -> result<std::uint64_t> {
    struct stat found{};
    if (::fstat(fd_, &found) != 0) return last_error();
    return static_cast<std::uint64_t>(found.st_size);
  });
}

task<result<void>> file::truncate(std::uint64_t size) {
  co_return co_await offload([this, size]() -> result<void> {
    if (::ftruncate(fd_, static_cast<off_t>(size)) != 0) return last_error();
    return {};
  });
}

void file::close() noexcept {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

}  // namespace tare::net
