#pragma once

// Where frames come from, as the promise sees it (src/frame/ is behind it).

#include <cstddef>

namespace tare::detail {

/// Memory for one coroutine frame from the current thread's heap. `alignment` is a power of two, at most 4096.
/// Throws std::bad_alloc when the ceiling is reached or the system has no more.
[[nodiscard]] void* allocate_frame(std::size_t bytes, std::size_t alignment);

/// Gives a frame back to the heap it came from; any thread may call it.
void free_frame(void* frame) noexcept;

/// Memory beside the frames that links can point to: power-of-two sizes from 64 bytes on, aligned to their size up to
/// 4096. Never taken for a frame by whoever walks the arena.
[[nodiscard]] void* allocate_record(std::size_t bytes);
void free_record(void* record) noexcept;

}  // namespace tare::detail
