#pragma once

// Files. The system has no readiness for them, so each call runs on the blocking pool (tare::offload).
//
//   auto log = co_await tare::net::file::open("log.txt", O_WRONLY | O_CREAT | O_APPEND);
//   co_await log->write(bytes);
//   co_await log->sync();
//
// Bytes: the object is 4; a call's frame, some 200, exists only while it is under way. A call that has begun is awaited
// even if its task is cancelled, so the caller's buffer is safe.

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

/// Move-only. Not bound to a shard, but to be used by one task at a time.
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

  /// As open(2); the descriptor is close-on-exec.
  [[nodiscard]] static task<result<file>> open(std::string path, int flags, mode_t permissions = 0644);

  /// From the file's position: as many bytes as are there and fit, 0 at its end.
  [[nodiscard]] task<result<std::size_t>> read(std::span<std::byte> into);
  [[nodiscard]] task<result<std::size_t>> read_at(std::uint64_t offset, std::span<std::byte> into);

  /// All of it. Some may have been written when this fails.
  [[nodiscard]] task<result<void>> write(std::span<const std::byte> bytes);
  [[nodiscard]] task<result<void>> write_at(std::uint64_t offset, std::span<const std::byte> bytes);

  /// What was written is on the disk when this returns (fdatasync).
  [[nodiscard]] task<result<void>> sync();

  [[nodiscard]] task<result<std::uint64_t>> size();
  [[nodiscard]] task<result<void>> truncate(std::uint64_t size);

  void close() noexcept;
  [[nodiscard]] bool is_open() const noexcept { return fd_ >= 0; }
  [[nodiscard]] int native_handle() const noexcept { return fd_; }

 private:
  explicit file(int fd) noexcept : fd_(fd) {}

  int fd_ = -1;
};

}  // namespace tare::net
