#pragma once

// Whether AddressSanitizer checks this build.

#if defined(__SANITIZE_ADDRESS__)
#define TARE_SIM_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TARE_SIM_ASAN 1
#endif
#endif

namespace tare::sim::detail {

#if defined(TARE_SIM_ASAN)
inline constexpr bool sanitized = true;
#else
inline constexpr bool sanitized = false;
#endif

}  // namespace tare::sim::detail
