#pragma once

// Allocation of frames, as used by the promise (implemented in src/frame/).
//
// A task that awaits one child after another requests the same few sizes over and over. Therefore each thread keeps the
// last freed frame of each size on a shelf. Coroutines take frames from it and put them back inline, because the size
// is a compile-time constant for them. Everything else is out of line.

#include <tare/detail/link.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <utility>

namespace tare::detail {

/// Memory for one coroutine frame from the current thread's heap. `alignment` is a power of two, at most 4096. Throws
/// std::bad_alloc if the frame limit is reached or the system has no memory.
[[nodiscard]] void* allocate_frame(std::size_t bytes, std::size_t alignment);

/// Returns a frame to the heap it came from. Any thread.
void free_frame(void* frame) noexcept;

/// Memory for objects other than frames that links can point to: power-of-two sizes from 64 bytes, aligned to their
/// size up to 4096. Code that walks the arena never mistakes it for a frame.
[[nodiscard]] void* allocate_record(std::size_t bytes);
void free_record(void* record) noexcept;

/// The last freed frame of each size of a thread. Its heap does not matter here: it is looked up when the frame is
/// returned, which happens when the thread is idle.
class frame_shelves {
 public:
  static constexpr std::size_t step = 8;
  static constexpr std::size_t largest = 512;

  /// Takes the frame of `size`; nullptr if there is none.
  [[nodiscard]] void* take(std::size_t size) noexcept { return std::exchange(frames_[size / step], nullptr); }

  /// False if a frame of its size is already there.
  [[nodiscard]] bool put(void* frame, std::size_t size) noexcept {
    void*& place = frames_[size / step];
    if (place != nullptr) return false;
    // The second word of a frame points to its destroy function; zero means that this is not a frame.
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

/// The current thread's shelf; nullptr on threads that run no shard, and in builds that must detect every use of freed
/// memory.
extern constinit thread_local frame_shelves* current_shelves;

/// Bytes needed for a frame of `size` bytes, before the heap rounds it up to a size class.
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

/// Memory for an object other than a frame, of its size rounded up to 8. The second word of the object must be zero for
/// its whole life: then code that walks the arena does not mistake it for a frame. Throws std::bad_alloc.
[[nodiscard]] inline void* allocate_block(std::size_t bytes) {
  void* const block = new_frame(bytes, frame_shelves::step);
  std::memset(static_cast<std::byte*>(block) + sizeof(void*), 0, sizeof(void*));
  return block;
}
inline void free_block(void* block, std::size_t bytes) noexcept { delete_frame(block, bytes, frame_shelves::step); }

}  // namespace tare::detail
