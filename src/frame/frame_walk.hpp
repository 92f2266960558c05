#pragma once

// A walk over all frames of one heap, portion by portion. It needs only the slabs: frames are not registered anywhere,
// so heaps and frames do not depend on whether they are ever walked.
//
// The thread that owns the heap walks it (for the shared heap, the thread that holds its lock). So no slab of the heap
// is added or removed during a portion. Between two portions any may be, which is why the position is two numbers and
// everything else is looked up again. Positions only increase, and frames do not move, so a frame that exists
// throughout is seen once. A slab that was returned and taken again in between contains only frames that are younger
// than the walk.
//
// Two things are read while other threads may write them, each by one load of an aligned word, in functions excluded
// from sanitizers:
//
// - The owner of a slab. Only the owner writes a number there, its own or 0 (no owner). So a walk finds the number of
//   its heap only in slabs of this heap, whatever happens to other slabs, and only then does it continue.
// - The first 32 bytes of a frame, and its suspend index. Its coroutine may have moved to another shard, or been made
//   in memory that another thread has freed and reused. Each word read was there, but the words may be from different
//   moments. So nothing found in a frame is followed, and a frame under construction may look like the previous object.

#include "frame/arena.hpp"
#include "frame/poison.hpp"
#include "frame/slab.hpp"

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>

namespace tare::detail {

/// What the start of a frame contains.
struct frame_glance {
  const std::byte* place;
  const void* resume;       ///< the function that resumes the coroutine; nullptr: it has finished
  std::uint64_t last_word;  ///< bytes 24 to 31
};

/// Whether the object at `place` is a frame, and what its start contains.
[[nodiscard]] TARE_NO_ASAN [[gnu::no_sanitize_thread]] inline bool glance(const std::byte* place,
                                                                          frame_glance& seen) noexcept {
  const auto* const words = reinterpret_cast<const volatile std::uint64_t*>(place);
  seen.place = place;
  if (words[1] == 0) return false;  // see poison.hpp
  // NOLINTNEXTLINE(performance-no-int-to-ptr): the word is a pointer
  seen.resume = reinterpret_cast<const void*>(words[0]);
  seen.last_word = words[3];
  return true;
}

/// A number in a frame, aligned for its type.
template <std::unsigned_integral T>
[[nodiscard]] TARE_NO_ASAN [[gnu::no_sanitize_thread]] T number_in(const std::byte* frame,
                                                                   std::size_t offset) noexcept {
  return *reinterpret_cast<const volatile T*>(frame + offset);
}

[[nodiscard]] [[gnu::no_sanitize_thread]] inline std::uint16_t owner_of(const slab& any) noexcept {
  return const_cast<const volatile slab&>(any).heap;
}

class frame_walk {
 public:
  explicit frame_walk(std::uint16_t heap) noexcept : end_(arena::instance().slab_number_end()), heap_(heap) {}

  /// Continues where the last portion ended, until `enough()`, which is checked from time to time but never before some
  /// progress was made. Calls `visitor.enter(const slab&)` for each slab of the heap and
  /// `visitor.see(const frame_glance&, bytes)` for each frame. True when nothing is left. An exception of the visitor
  /// ends the portion.
  template <class Visitor, class Enough>
  [[nodiscard]] bool go_on(Visitor& visitor, Enough enough);

 private:
  // The number of foreign slabs, or objects, between two checks of `enough`: a few microseconds.
  static constexpr std::size_t looks_at_once = 256;

  void next_slab() noexcept {
    ++slab_;
    object_ = 0;
  }

  std::size_t slab_ = 0;
  std::size_t object_ = 0;
  std::size_t end_;  ///< slabs that are first taken later contain only frames that are younger than the walk
  std::uint16_t heap_;
};

template <class Visitor, class Enough>
bool frame_walk::go_on(Visitor& visitor, Enough enough) {
  const arena& memory = arena::instance();
  for (std::size_t looks = 0; slab_ < end_;) {
    if (looks >= looks_at_once) {
      if (enough()) return false;
      looks = 0;
    }
    ++looks;
    const slab& here = memory.slab_number(slab_);
    if (owner_of(here) != heap_) {
      next_slab();
      continue;
    }
    if (object_ == 0) visitor.enter(here);
    const bool has_frames = here.use == slab_use::frames || here.use == slab_use::large_frame;
    const std::size_t handed_out = has_frames && here.used != 0 ? here.capacity - here.fresh : 0;
    const std::size_t portion = std::min(handed_out, object_ + looks_at_once);
    const std::byte* const start = memory.start_of(&here);
    for (; object_ < portion; ++object_, ++looks) {
      frame_glance seen{};
      if (glance(start + object_ * here.object_bytes, seen)) visitor.see(seen, here.object_bytes);
    }
    if (object_ >= handed_out) next_slab();
  }
  return true;
}

}  // namespace tare::detail
