#pragma once

namespace tare::detail {

/// Aborts the program after printing `message`, which names the call and says what to do instead.
[[noreturn]] void misuse(const char* message) noexcept;

}  // namespace tare::detail
