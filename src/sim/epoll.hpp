#pragma once

// epoll(7): level-triggered, edge-triggered and one-shot, with the kernel's rule: a change puts a registration into the
// list of those to look at, and epoll_wait reports it if its file is then ready.

#include "sim/file.hpp"

#include <sys/epoll.h>

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>

namespace tare::sim::detail {

class kernel;

class epoll_file final : public file {
 public:
  explicit epoll_file(kernel& in) : kernel_(in) {}
  epoll_file(const epoll_file&) = delete;
  epoll_file& operator=(const epoll_file&) = delete;
  ~epoll_file() override;

  [[nodiscard]] std::uint32_t readiness() const noexcept override;
  int control(int operation, const std::shared_ptr<file>& of, const epoll_event* event);
  /// epoll_wait(2); `deadline` is a time of the world, nullopt if there is none.
  int wait(std::span<epoll_event> into, std::optional<std::int64_t> deadline);
  void on_change(const file& of);
  void forget(const file& of);
  void closed() override;

 private:
  struct registration {
    std::shared_ptr<file> of;
    epoll_event event;
    bool listed = false;
  };
  int collect(std::span<epoll_event> into);
  void list(registration& changed);

  kernel& kernel_;
  std::map<int, registration> registrations_;
  std::deque<int> listed_;
};

}  // namespace tare::sim::detail
