#pragma once

#include <cstddef>

namespace tare::detail {

/// Bytes of memory that the process holds according to the kernel; 0 if unknown.
[[nodiscard]] std::size_t resident_bytes() noexcept;

}  // namespace tare::detail
