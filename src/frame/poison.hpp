#pragma once

// Poisoning for AddressSanitizer: freed frames must not be accessed, and are reused as late as possible.

#include <tare/detail/link.hpp>

#include <array>
#include <cstddef>
#include <cstring>

#if defined(__SANITIZE_ADDRESS__)
#define TARE_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TARE_ASAN 1
#endif
#endif

#if defined(TARE_ASAN)
#include <sanitizer/asan_interface.h>
#endif

namespace tare::detail {

#if defined(TARE_ASAN)
inline constexpr bool poisoning = true;
#define TARE_NO_ASAN [[gnu::no_sanitize_address]]
inline void poison(void* start, std::size_t bytes) noexcept { __asan_poison_memory_region(start, bytes); }
inline void unpoison(void* start, std::size_t bytes) noexcept { __asan_unpoison_memory_region(start, bytes); }
#else
inline constexpr bool poisoning = false;
#define TARE_NO_ASAN
inline void poison(void* /*start*/, std::size_t /*bytes*/) noexcept {}
inline void unpoison(void* /*start*/, std::size_t /*bytes*/) noexcept {}
#endif

/// Unused bytes after each object, so that writes past the end are detected.
inline constexpr std::size_t redzone = poisoning ? 16 : 0;

// Freed objects contain a link in their first 4 bytes, which is read and written although they are poisoned.
TARE_NO_ASAN inline link read_link(const void* object) noexcept { return *static_cast<const volatile link*>(object); }
TARE_NO_ASAN inline void write_link(void* object, link value) noexcept { *static_cast<volatile link*>(object) = value; }

/// The second word of a frame is the pointer to its destroy function: zero means that this is not a frame.
TARE_NO_ASAN inline void mark_as_free(void* object) noexcept { *(static_cast<void* volatile*>(object) + 1) = nullptr; }

#if defined(TARE_ASAN)
/// Freed objects wait here, poisoned, before their memory is reused.
class quarantine {
 public:
  static constexpr std::size_t size = 256;

  /// Adds `freed` and returns the object that has waited longest, or nullptr.
  void* exchange(void* freed) noexcept {
    void* oldest = waiting_[at_];
    waiting_[at_] = freed;
    at_ = (at_ + 1) % waiting_.size();
    return oldest;
  }

 private:
  std::array<void*, size> waiting_{};
  std::size_t at_ = 0;
};
#else
class quarantine {
 public:
  static constexpr std::size_t size = 0;
  static void* exchange(void* freed) noexcept { return freed; }
};
#endif

}  // namespace tare::detail
