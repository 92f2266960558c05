#pragma once

// A descriptor of a file or directory on a simulated disk.

#include "sim/disk_core.hpp"
#include "sim/file.hpp"
#include "sim/kernel.hpp"

#include <sys/stat.h>
#include <sys/types.h>

#include <cerrno>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace tare::sim::detail {

/// What a call returns that has failed.
inline int fails_with(int error) noexcept {
  errno = error;
  return -1;
}

/// Before a call does anything on a machine's disk: its error number, or 0. Does not return if the power has failed.
[[nodiscard]] int admit(kernel& in, machine& on, disk_call made);

class disk_file final : public file {
 public:
  disk_file(kernel& in, std::shared_ptr<disk_node> opened, int flags) noexcept
      : kernel_(in), node_(std::move(opened)), flags_(flags) {}

  [[nodiscard]] std::uint32_t readiness() const noexcept override;
  ssize_t read(std::span<char> into) override;
  ssize_t write(std::span<const char> bytes) override;
  void closed() override;

  // As the calls of the same names: -1 with errno.
  ssize_t read_at(off_t offset, std::span<char> into);
  ssize_t write_at(off_t offset, std::span<const char> bytes);
  off_t seek(off_t offset, int from);
  int resize(off_t size);
  int sync();
  int lock(int operation);
  int allocate(off_t end);
  [[nodiscard]] int flags() const noexcept { return flags_; }
  [[nodiscard]] const std::shared_ptr<disk_node>& node() const noexcept { return node_; }

 private:
  [[nodiscard]] bool can_write() const noexcept;
  /// errno is EBADF, EISDIR or EINVAL, and the result false, if it cannot.
  [[nodiscard]] bool check(bool allowed, off_t offset) const noexcept;
  void unlock();

  kernel& kernel_;
  std::shared_ptr<disk_node> node_;
  int flags_;
  off_t position_ = 0;
  enum class held : std::uint8_t { nothing, shared, exclusive } held_ = held::nothing;
};

void describe(const disk_core& on, const disk_node& node, struct stat& into) noexcept;

}  // namespace tare::sim::detail
