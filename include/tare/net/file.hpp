#pragma once

// Files. The system has no readiness notification for files, so each call runs on the blocking pool (tare::offload).
//
//   auto log = co_await tare::net::file::open("log.txt", O_WRONLY | O_CREAT | O_APPEND);
//   co_await log->write(bytes);
//   co_await log->sync();
//
// **Errors** Those of the system call of the same name. **Cancellation** A call that has begun is awaited even if its
// task is cancelled, so the caller's buffer stays valid. **Threads** Not bound to a shard, but only one task at a time
// may use a file. **Bytes** The object is 4; the frame of a call, about 200, exists only while the call is in progress.

#include <tare/net/result.hpp>
#include <tare/task.hpp>

#include <fcntl.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

namespace tare::net {

/// Move-only.
class file {
 public:
  file() noexcept = default;
  file(file&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  file& operator=(file&& other) noexcept {
    file moved(std::move(other));
    std::swap(fd_, moved.fd_);
    return *this;
  }
  file(const file&) = delete;
  file& operator=(const file&) = delete;
  ~file() { close(); }

  /// Like open(2); the descriptor is close-on-exec.
  static task<result<file>> open(std::string path, int flags, mode_t permissions = 0644);

  /// Reads from the current position: as many bytes as are available and fit; 0 at the end of the file.
  task<result<std::size_t>> read(std::span<std::byte> buffer);
  task<result<std::size_t>> read_at(std::uint64_t offset, std::span<std::byte> buffer);

  /// Writes all bytes. If it fails, some of them may have been written.
  task<result<void>> write(std::span<const std::byte> bytes);
  task<result<void>> write_at(std::uint64_t offset, std::span<const std::byte> bytes);

  /// When this returns, everything written is on disk (fdatasync).
  task<result<void>> sync();

  task<result<std::uint64_t>> size();
  task<result<void>> truncate(std::uint64_t size);

  void close() noexcept;
  [[nodiscard]] bool is_open() const noexcept { return fd_ >= 0; }
  [[nodiscard]] int native_handle() const noexcept { return fd_; }

 private:
  explicit file(int fd) noexcept : fd_(fd) {}

  int fd_ = -1;
};

}  // namespace tare::net
