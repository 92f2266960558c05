#pragma once

#include "base/error.hpp"
#include "base/file_descriptor.hpp"
#include "inspect/memory/address_space.hpp"

#include <sys/types.h>

#include <memory>

namespace tare::inspect {

/// The memory of a running process, read with process_vm_readv, which neither stops nor slows it. The regions are those
/// at the time of opening; memory that is unmapped later cannot be read.
class process_memory final : public address_space {
 public:
  /// The error says what is wrong: the process does not exist, has ended, is a 32-bit process, or cannot be read; then
  /// it names the setting or capability that would allow it.
  [[nodiscard]] static base::result<std::unique_ptr<process_memory>> open(pid_t pid);

  [[nodiscard]] std::span<const memory_region> regions() const noexcept override { return regions_; }
  [[nodiscard]] std::size_t read(std::uint64_t address, std::span<std::byte> buffer) const override;
  [[nodiscard]] std::vector<address_range> present(const memory_region& region) const override;
  [[nodiscard]] std::vector<std::uint64_t> resident() const override;
  [[nodiscard]] std::vector<address_range> stacks() const override;

 private:
  process_memory(pid_t pid, std::vector<memory_region> regions, base::file_descriptor pagemap)
      : pid_(pid), regions_(std::move(regions)), pagemap_(std::move(pagemap)) {}

  pid_t pid_;
  std::vector<memory_region> regions_;
  base::file_descriptor pagemap_;  ///< closed if the kernel does not allow access
};

/// The IDs of a process's threads; empty if the process does not exist.
[[nodiscard]] std::vector<pid_t> threads_of(pid_t pid);

}  // namespace tare::inspect
