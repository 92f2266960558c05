#pragma once

// Where frames come from, as the promise sees it (src/frame/ is behind it).
//
// A task that awaits one child after the other asks for the same few sizes over and over. So each thread keeps the
// last frame of each size that it has freed on a shelf, and coroutines take it from there and put it back inline: the
// size is a constant to them. Everything else is out of line.

#include <tare/detail/link.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <utility>

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

/// The last frame of each size that a thread has freed. Which heap it came from does not matter: that is looked up when
/// it is given back, once the thread has nothing better to do.
class frame_shelves {
 public:
  static constexpr std::size_t step = 8;
  static constexpr std::size_t largest = 512;

  /// A frame that was put there as one of `size`; nullptr if none is there.
  [[nodiscard]] void* take(std::size_t size) noexcept { return std::exchange(frames_[size / step], nullptr); }

  /// False if one of its size is there already.
  [[nodiscard]] bool put(void* frame, std::size_t size) noexcept {
    void*& place = frames_[size / step];
    if (place != nullptr) return false;
    // The second word of a frame points to its destroy function: zero says that no frame is there.
    std::memset(static_cast<std::byte*>(frame) + sizeof(void*), 0, sizeof(void*));
    place = frame;
    return true;
  }

  [[nodiscard]] std::size_t frames() const noexcept {
    return frames_.size() - static_cast<std::size_t>(std::ranges::count(frames_, nullptr));
  }

 private:
  std::array<void*, largest / step + 1> frames_{};
};

/// The current thread's; nullptr on threads that run no shard, and where every use of freed memory is to be seen.
extern constinit thread_local frame_shelves* current_shelves;

/// What a frame of so many bytes takes, before the heap rounds it to one of its sizes.
[[nodiscard]] constexpr std::size_t frame_size(std::size_t bytes, std::size_t alignment) noexcept {
  constexpr std::size_t smallest = 32;
  const std::size_t rounding = std::max(alignment, frame_shelves::step);
  return (std::max(bytes, smallest) + rounding - 1) & ~(rounding - 1);
}

[[nodiscard]] inline void* new_frame(std::size_t bytes, std::size_t alignment) {
  if (const std::size_t size = frame_size(bytes, alignment); size <= frame_shelves::largest) {
    if (frame_shelves* mine = current_shelves; mine != nullptr) {
      if (void* frame = mine->take(size); frame != nullptr) return frame;
    }
  }
  return allocate_frame(bytes, alignment);
}

inline void delete_frame(void* frame, std::size_t bytes, std::size_t alignment) noexcept {
  if (const std::size_t size = frame_size(bytes, alignment); size <= frame_shelves::largest) {
    if (frame_shelves* mine = current_shelves; mine != nullptr && mine->put(frame, size)) return;
  }
  free_frame(frame);
}

}  // namespace tare::detail
