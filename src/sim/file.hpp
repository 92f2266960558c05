#pragma once

// What a simulated descriptor refers to.

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

struct iovec;

namespace tare::sim::detail {

class epoll_file;
struct machine;

/// Where a call leaves its error: the caller returns -1 with this errno.
struct failed {
  int error;
};

class file {
 public:
  file() = default;
  virtual ~file() = default;
  file(const file&) = delete;
  file& operator=(const file&) = delete;

  /// Which of EPOLLIN, EPOLLOUT, … hold.
  [[nodiscard]] virtual std::uint32_t readiness() const noexcept = 0;
  /// -1 with errno, as the calls of the same names.
  virtual ssize_t read(std::span<char> into);
  virtual ssize_t write(std::span<const char> bytes);
  /// The last descriptor is closed.
  virtual void closed() {}

  /// Tells those that wait for the file that its readiness may have changed.
  void changed();
  void watch(epoll_file& by) { watchers_.push_back(&by); }
  void unwatch(epoll_file& by) { std::erase(watchers_, &by); }
  [[nodiscard]] const std::vector<epoll_file*>& watchers() const noexcept { return watchers_; }

  int descriptor = -1;
  machine* on = nullptr;
  bool non_blocking = false;
  bool close_on_exec = false;

 private:
  std::vector<epoll_file*> watchers_;
};

/// eventfd(2)
class event_counter final : public file {
 public:
  explicit event_counter(std::uint64_t initial) : count_(initial) {}
  [[nodiscard]] std::uint32_t readiness() const noexcept override;
  ssize_t read(std::span<char> into) override;
  ssize_t write(std::span<const char> bytes) override;

 private:
  std::uint64_t count_;
};

}  // namespace tare::sim::detail
