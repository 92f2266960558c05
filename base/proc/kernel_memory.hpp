#pragma once

// The memory that the kernel holds for the sockets of all processes.

#include <cstdint>
#include <optional>
#include <string_view>

namespace tare::base {

/// In bytes, of the whole system; of the network namespace for `sockets`. Empty where the kernel does not say.
struct kernel_memory {
  std::optional<std::uint64_t> slab;     ///< the kernel's small objects: sockets, files, entries of epoll
  std::optional<std::uint64_t> sockets;  ///< pages of TCP buffers: what was received but not read, or sent but not
                                         ///< acknowledged

  friend bool operator==(const kernel_memory&, const kernel_memory&) = default;
};

/// From the texts of /proc/meminfo and /proc/net/sockstat, which are not trusted.
[[nodiscard]] kernel_memory parse_kernel_memory(std::string_view meminfo, std::string_view sockstat,
                                                std::uint64_t page_bytes);

[[nodiscard]] kernel_memory read_kernel_memory();

}  // namespace tare::base
