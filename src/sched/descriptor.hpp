#pragma once

// A file descriptor that is closed with its owner.

#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace tare::detail {

class descriptor {
 public:
  /// Takes over what a system call returned; throws std::system_error if it failed.
  explicit descriptor(int fd) : fd_(fd) {
    if (fd < 0) throw std::system_error(errno, std::system_category());
  }
  ~descriptor() { ::close(fd_); }
  descriptor(const descriptor&) = delete;
  descriptor& operator=(const descriptor&) = delete;

  [[nodiscard]] int get() const noexcept { return fd_; }

 private:
  int fd_;
};

}  // namespace tare::detail
