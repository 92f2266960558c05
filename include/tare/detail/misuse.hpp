#pragma once

namespace tare::detail {

/// Aborts the program after printing `message`, which names the call and the mend.
[[noreturn]] void misuse(const char* message) noexcept;

}  // namespace tare::detail
