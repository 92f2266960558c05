#include "inspect/live/scan.hpp"

#include "inspect/coroutine/layout.hpp"
#include "inspect/live/areas.hpp"
#include "inspect/live/frame_reader.hpp"
#include "inspect/live/malloc_heap.hpp"
#include "inspect/live/waiter_finder.hpp"

#include <algorithm>
#include <deque>
#include <optional>
#include <utility>

namespace tare::inspect {
namespace {

constexpr std::size_t word = sizeof(std::uint64_t);

std::uint32_t frame_weight(const coroutine& coroutine) {
  const std::uint64_t bytes = coroutine.allocated_bytes.value_or(coroutine.frame_bytes.value_or(0));
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(bytes, ~std::uint32_t{0}));
}

/// The maximum size of a header that a library puts in front of a frame, for an allocator or a size.
constexpr std::uint64_t longest_header = 128;
constexpr std::uint64_t header_step = 16;

/// Whether malloc may return a chunk of this size for a request: a remainder that is too small for a chunk stays at its
/// end. Mapped chunks have whole pages.
bool fits(std::uint64_t chunk_bytes, std::uint64_t requested_bytes) {
  constexpr std::uint64_t page = 4096;
  constexpr std::uint64_t min_mapped = 32 * page;
  const std::uint64_t least = malloc_bytes(requested_bytes);
  if (chunk_bytes == least || chunk_bytes == least + header_step) return true;
  return least >= min_mapped && chunk_bytes % page == 0 && chunk_bytes >= least && chunk_bytes - least < page + word;
}

/// Whether the object in a chunk in use is the frame, at its beginning or after a header. Then the frame takes the
/// bytes of the chunk, unless the bytes that its allocator takes are known. A far larger object holds more than a
/// frame.
bool take_chunk(found_frame& frame, const coroutine& coroutine, const chunk_object& chunk) {
  const std::uint64_t bytes = coroutine.frame_bytes.value_or(0);
  const std::uint64_t header = frame.address - chunk.address;
  const auto whole = static_cast<std::uint32_t>(std::min<std::uint64_t>(chunk.chunk_bytes, ~std::uint32_t{0}));
  if (header != 0) {
    if (bytes == 0 || header > longest_header || !fits(chunk.chunk_bytes, bytes + header)) return false;
    frame.bytes = whole;
    return true;
  }
  constexpr std::uint64_t max_beside = 4096 + 256;
  if (bytes != 0 && chunk.chunk_bytes / 2 > bytes + max_beside) return false;
  if (!coroutine.allocated_bytes || (coroutine.allocated_by == allocation::malloc && !fits(chunk.chunk_bytes, bytes))) {
    frame.bytes = whole;
  }
  return true;
}

class scanner {
 public:
  scanner(const address_space& memory, const frame_index& known, std::span<const coroutine> coroutines,
          const scan_options& how)
      : memory_(memory), known_(known), coroutines_(coroutines), how_(how) {}

  void look_through(const area& area) {
    if (area.kind == area_kind::heap) {
      chunk_walk walk(area.heap);
      look_through(area, &walk);
      settle(walk);
      found_.heaps.push_back({.where = area.where, .used_bytes = walk.used_bytes(), .whole = !walk.is_broken()});
    } else {
      look_through(area, nullptr);
    }
  }

  found_frames take() { return std::move(found_); }

 private:
  /// `walk` is the walk of the heap, if the area is a heap.
  void look_through(const area& area, chunk_walk* walk) {
    blocks_.for_each(area, [&](std::uint64_t address, std::span<const std::byte> block, std::uint64_t bytes) {
      look_through_block(area, address, block, bytes);
      if (walk != nullptr) {
        walk->feed(address, block.first(bytes));
        decide(*walk);
      }
    });
  }

  void look_through_block(const area& area, std::uint64_t address, std::span<const std::byte> block,
                          std::uint64_t bytes) {
    found_.scanned_bytes += bytes;
    const memory_window window(memory_, address, block);
    const std::size_t words = block.size() / word;
    const auto number = [block](std::size_t i) { return word_of(block, i); };
    for (std::size_t i = 0; i < words; ++i) {
      const std::uint64_t value = number(i);
      if (!known_.may_be_code(value)) continue;
      // Either the first word of a frame, or the second word of a frame whose first word is null.
      if (i + 1 < words && i * word < bytes) {
        if (const auto match = known_.find(value, number(i + 1)); match) note(area, window, address + i * word, *match);
      }
      if (i > 0 && number(i - 1) == 0) {
        if (const auto match = known_.find(0, value); match) note(area, window, address + (i - 1) * word, *match);
      }
    }
  }

  void note(const area& area, const memory_window& window, std::uint64_t address, const frame_index::match& match) {
    if (address % word != 0) return;
    const coroutine& coroutine = coroutines_[match.coroutine];
    found_frame frame{.address = address,
                      .coroutine = match.coroutine,
                      .bytes = match.merged ? 0 : frame_weight(coroutine),
                      .ended = match.ended,
                      .merged = match.merged};
    if (!read_index(window, coroutine, frame)) {
      ++found_.freed;
      return;
    }
    switch (area.kind) {
      case area_kind::heap:
        waiting_.push_back(frame);
        return;
      case area_kind::stack:
        // A frame on a stack was merged into a function that is not a coroutine; its bytes count as stack.
        frame.on_stack = true;
        if (match.merged) found_.frames.push_back(frame);
        return;
      case area_kind::other:
        decide_elsewhere(area, frame);
        return;
    }
  }

  /// Decides about the frames in a heap up to the address that the walk has reached.
  void decide(chunk_walk& walk) {
    while (!waiting_.empty()) {
      const auto state = walk.at(waiting_.front().address);
      if (!state) return;
      apply(waiting_.front(), *state, walk.object());
      waiting_.pop_front();
    }
  }

  /// Decides about the remaining frames at the end of a heap.
  void settle(chunk_walk& walk) {
    walk.finish();
    decide(walk);
    if (walk.is_broken()) found_.heap_changed = true;
    for (; walk.is_broken() && !waiting_.empty(); waiting_.pop_front()) decide_locally(waiting_.front());
    waiting_.clear();
  }

  void apply(found_frame frame, chunk_state state, const chunk_object& chunk) {
    if (state == chunk_state::free) {
      ++found_.freed;
    } else if (frame.merged || take_chunk(frame, coroutines_[frame.coroutine], chunk)) {
      found_.frames.push_back(frame);
    } else {
      leave_out(frame);
    }
  }

  /// Handles what looks like a frame inside another object: it is left over, or in a pool.
  void leave_out(found_frame frame) {
    if (!how_.pools) {
      ++found_.inside;
      return;
    }
    frame.uncertain = true;
    found_.frames.push_back(frame);
  }

  /// Uses the heads of the chunk and of the next one, for addresses that the walk did not reach.
  void decide_locally(const found_frame& frame) {
    if (frame.merged) {
      apply(frame, chunk_state::inside, {});
      return;
    }
    const std::uint64_t bytes = coroutines_[frame.coroutine].frame_bytes.value_or(0);
    for (std::uint64_t header = 0; header <= longest_header; header += header_step) {
      const auto chunk = lone_chunk_at(memory_, frame.address - header, bytes + header);
      if (!chunk || (header != 0 && !fits(chunk->bytes, bytes + header))) continue;
      apply(frame, chunk->in_use ? chunk_state::begins : chunk_state::free,
            {.address = frame.address - header, .chunk_bytes = chunk->bytes});
      return;
    }
    leave_out(frame);
  }

  void decide_elsewhere(const area& area, found_frame frame) {
    if (frame.merged) {
      frame.uncertain = true;
      found_.frames.push_back(frame);
      return;
    }
    if (mapped_in_ != area.region) {
      mapped_in_ = area.region;
      mapped_ = mapped_chunks(memory_, *area.region);
    }
    const auto behind = std::ranges::upper_bound(mapped_, frame.address, {}, &chunk_object::address);
    if (behind != mapped_.begin() && frame.address + header_step < (behind - 1)->address + (behind - 1)->chunk_bytes) {
      apply(frame, chunk_state::begins, *(behind - 1));
    } else if (const auto chunk = mapped_chunk_around(frame); chunk) {
      apply(frame, chunk_state::begins, *chunk);
    } else if (frame.ended) {
      // A null before a code address is not enough evidence where freed memory may be linked into lists.
      ++found_.inside;
    } else {
      frame.uncertain = true;
      found_.frames.push_back(frame);
    }
  }

  /// The mapped chunk at whose beginning the frame is, possibly after a header, according to the chunk's head.
  [[nodiscard]] std::optional<chunk_object> mapped_chunk_around(const found_frame& frame) const {
    const std::uint64_t frame_bytes = coroutines_[frame.coroutine].frame_bytes.value_or(0);
    for (std::uint64_t header = 0; header <= longest_header; header += header_step) {
      const auto bytes = mapped_chunk_bytes(memory_, frame.address - header);
      if (!bytes || (header != 0 && !fits(*bytes, frame_bytes + header))) continue;
      return chunk_object{.address = frame.address - header, .chunk_bytes = *bytes};
    }
    return std::nullopt;
  }

  const address_space& memory_;
  const frame_index& known_;
  std::span<const coroutine> coroutines_;
  const scan_options& how_;
  found_frames found_;
  block_reader blocks_{memory_};
  const memory_region* mapped_in_ = nullptr;
  std::vector<chunk_object> mapped_;  ///< in that region
  std::deque<found_frame> waiting_;   ///< frames that the walk has not reached yet
};

/// Whether a frame has a field for another frame at this distance from its beginning; true if its fields are not known.
bool has_room_for(const coroutine& outer, const coroutine& inner, std::uint64_t distance) {
  constexpr std::uint64_t rounding = 8;
  return outer.fields.empty() || std::ranges::any_of(outer.fields, [&](const frame_field& field) {
           return field.offset == distance && field.kind != field_kind::abi && field.kind != field_kind::promise &&
                  field.bytes + rounding > inner.frame_bytes.value_or(0);
         });
}

/// A merged frame counts if the frame around it counts and has a field for it, or if it is on a stack.
void settle_merged(found_frames& found, std::span<const coroutine> coroutines) {
  struct extent {
    std::uint32_t coroutine = 0;
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    bool uncertain = false;
  };
  std::vector<extent> around;  // the frames that the current address is in, the innermost last
  std::erase_if(found.frames, [&](found_frame& frame) {
    while (!around.empty() && frame.address >= around.back().end) around.pop_back();
    if (frame.merged && !frame.on_stack) {
      const bool placed =
          !around.empty() && has_room_for(coroutines[around.back().coroutine], coroutines[frame.coroutine],
                                          frame.address - around.back().begin);
      // A frame that has ended is destroyed by the frame around it, which leaves no trace.
      if (!placed || frame.ended) {
        ++(placed ? found.freed : found.inside);
        return true;
      }
      frame.uncertain = around.back().uncertain;
    }
    if (frame.coroutine != found_frame::unknown_coroutine) {
      const std::uint64_t bytes = coroutines[frame.coroutine].frame_bytes.value_or(0);
      around.push_back({.coroutine = frame.coroutine,
                        .begin = frame.address,
                        .end = frame.address + bytes,
                        .uncertain = frame.uncertain});
    }
    return false;
  });
}

}  // namespace

found_frames scan(const address_space& memory, const frame_index& known, std::span<const coroutine> coroutines,
                  std::span<arena> arenas, const scan_options& how) {
  found_frames all;
  for (auto& each : arenas) each.walk(known, coroutines, how.waiters, all);
  if (!known.empty()) {
    scanner rest(memory, known, coroutines, how);
    const auto areas = find_areas(memory, covered_by(arenas));
    all.skipped = areas.skipped;
    for (const auto& each : areas.areas) rest.look_through(each);
    auto found = rest.take();
    all.frames.insert(all.frames.end(), found.frames.begin(), found.frames.end());
    all.scanned_bytes += found.scanned_bytes;
    all.freed += found.freed;
    all.inside = found.inside;
    all.heaps = std::move(found.heaps);
    all.heap_changed = found.heap_changed;
  }
  if (!std::ranges::is_sorted(all.frames, {}, &found_frame::address)) {
    std::ranges::sort(all.frames, {}, &found_frame::address);
  }
  settle_merged(all, coroutines);
  if (how.waiters) find_waiters(memory, coroutines, covered_by(arenas), all.frames);
  return all;
}

}  // namespace tare::inspect
