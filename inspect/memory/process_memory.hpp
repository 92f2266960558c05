#pragma once

#include "base/error.hpp"
#include "base/file_descriptor.hpp"
#include "inspect/memory/address_space.hpp"

#include <sys/types.h>

#include <memory>

namespace tare::inspect {

/// A running process's memory, read with process_vm_readv, which neither stops nor slows it. The regions are those of
/// the moment of opening; what is unmapped later reads as nothing.
class process_memory final : public address_space {
 public:
  /// The error says what is in the way: no such process, one that has ended, no permission and which setting or
  /// capability would give it, a 32-bit process.
  [[nodiscard]] static base::result<std::unique_ptr<process_memory>> open(pid_t pid);

  [[nodiscard]] std::span<const memory_region> regions() const noexcept override { return regions_; }
  [[nodiscard]] std::size_t read(std::uint64_t address, std::span<std::byte> into) const override;
  [[nodiscard]] std::vector<address_range> present(const memory_region& of) const override;
  [[nodiscard]] std::vector<std::uint64_t> resident() const override;
  [[nodiscard]] std::vector<address_range> stacks() const override;

 private:
  process_memory(pid_t pid, std::vector<memory_region> regions, base::file_descriptor pagemap)
      : pid_(pid), regions_(std::move(regions)), pagemap_(std::move(pagemap)) {}

  pid_t pid_;
  std::vector<memory_region> regions_;
  base::file_descriptor pagemap_;  ///< closed where the kernel does not allow it
};

/// The numbers of a process's threads; empty if there is no such process.
[[nodiscard]] std::vector<pid_t> threads_of(pid_t pid);

}  // namespace tare::inspect
