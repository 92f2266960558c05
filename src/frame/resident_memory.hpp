#pragma once

#include <cstddef>

namespace tare::detail {

/// Bytes of memory that the process holds, as the kernel counts them; 0 if it does not tell.
[[nodiscard]] std::size_t resident_bytes() noexcept;

}  // namespace tare::detail
