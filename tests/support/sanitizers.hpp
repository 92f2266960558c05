#pragma once

// Which sanitizers the tests are built with. The two compilers define different macros.

#if defined(__has_feature)
#define TARE_TEST_HAS_FEATURE(feature) __has_feature(feature)
#else
#define TARE_TEST_HAS_FEATURE(feature) 0
#endif

namespace support {

#if defined(__SANITIZE_ADDRESS__) || TARE_TEST_HAS_FEATURE(address_sanitizer)
inline constexpr bool has_address_sanitizer = true;
#else
inline constexpr bool has_address_sanitizer = false;
#endif

#if defined(__SANITIZE_THREAD__) || TARE_TEST_HAS_FEATURE(thread_sanitizer)
inline constexpr bool has_thread_sanitizer = true;
#else
inline constexpr bool has_thread_sanitizer = false;
#endif

/// Sanitizers keep freed memory, or need more for each byte: the memory of the process is then more than what tare and
/// the test use.
inline constexpr bool is_sanitized = has_address_sanitizer || has_thread_sanitizer;

}  // namespace support

#undef TARE_TEST_HAS_FEATURE
