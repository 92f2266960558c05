#include "inspect/live/malloc_heap.hpp"

#include <algorithm>
#include <array>

namespace tare::inspect {
namespace {

constexpr std::uint64_t page = 4096;
constexpr std::uint64_t head_bytes = 16;  ///< the size of the chunk before, if that is free, and the chunk's own size
constexpr std::uint64_t previous_in_use = 1;
constexpr std::uint64_t is_mapped = 2;
constexpr std::uint64_t of_thread_arena = 4;
constexpr std::uint64_t flags = 7;
constexpr std::uint64_t max_heap_bytes = std::uint64_t{64} << 20U;

/// Whether a chunk may have this size, flags included. The smallest are fence posts.
bool is_plausible(std::uint64_t size, std::uint64_t room, bool thread_arena) {
  const std::uint64_t bytes = size & ~flags;
  if (bytes < head_bytes || bytes % 16 != 0 || bytes > room || (size & is_mapped) != 0) return false;
  // Only chunks in use are marked as those of a thread's arena.
  return (size & of_thread_arena) == 0 || thread_arena;
}

/// Whether some chunks in a row make sense from there on.
bool is_chunk(const address_space& memory, std::uint64_t address, std::uint64_t end, bool thread_arena) {
  constexpr int enough = 8;
  for (int seen = 0; seen < enough && address < end; ++seen) {
    const auto size = memory.read_object<std::uint64_t>(address + 8);
    if (!size || !is_plausible(*size, end - address, thread_arena)) return false;
    // The first chunk has nothing before it that could be free.
    if (seen == 0 && (*size & previous_in_use) == 0) return false;
    address += *size & ~flags;
  }
  return true;
}

/// At the beginning of each 64 MiB that a thread arena has.
struct heap_head {
  std::uint64_t arena = 0;
  std::uint64_t previous = 0;
  std::uint64_t bytes = 0;
  std::uint64_t accessible_bytes = 0;
};

}  // namespace

std::optional<malloc_heap> main_heap(const address_space& memory, const memory_region& region) {
  if (!is_chunk(memory, region.where.begin, region.where.end, false)) return std::nullopt;
  return malloc_heap{.where = region.where, .of_thread_arena = false};
}

std::vector<malloc_heap> thread_heaps(const address_space& memory, const memory_region& region) {
  std::vector<malloc_heap> heaps;
  if (region.where.bytes() < page) return heaps;
  // Only where there is something: a region may be of any size.
  for (const auto& range : memory.present(region)) {
    for (std::uint64_t at = (range.begin + max_heap_bytes - 1) / max_heap_bytes * max_heap_bytes;
         at >= range.begin && at < range.end; at += max_heap_bytes) {
      const auto head = memory.read_object<heap_head>(at);
      if (!head || head->bytes < page || head->bytes > max_heap_bytes || head->bytes % page != 0 ||
          head->accessible_bytes < head->bytes || head->bytes > region.where.end - at) {
        continue;
      }
      const std::uint64_t end = at + head->bytes;
      // The head has grown over the versions of glibc; the first heap of an arena has the arena's state behind it.
      constexpr std::array<std::uint64_t, 2> head_sizes{0x20, 0x30};
      constexpr std::uint64_t max_state = 0x1000;
      for (const std::uint64_t size : head_sizes) {
        const bool first = head->arena == at + size;
        std::uint64_t chunk = at + size;
        const std::uint64_t last = first ? chunk + max_state : chunk;
        while (chunk <= last && !is_chunk(memory, chunk, end, true)) chunk += 16;
        if (chunk > last) continue;
        heaps.push_back({.where = {.begin = chunk, .end = end}, .of_thread_arena = true});
        break;
      }
    }
  }
  return heaps;
}

bool is_thread_stack(const address_space& memory, const memory_region& region) {
  // The descriptor is at the stack's end, and has its own address in its first and its third word (nptl/descr.h).
  constexpr std::uint64_t max_descriptor_bytes = std::uint64_t{64} << 10U;
  const std::uint64_t bytes = std::min(region.where.bytes(), max_descriptor_bytes) / 8 * 8;
  const std::uint64_t begin = region.where.end - bytes;
  std::vector<std::uint64_t> words(bytes / 8);
  const std::size_t read = memory.read(begin, std::as_writable_bytes(std::span(words))) / 8;
  for (std::size_t i = 0; i + 2 < read; ++i) {
    if (words[i] == begin + i * 8 && words[i + 2] == words[i]) return true;
  }
  return false;
}

std::optional<std::uint64_t> mapped_chunk_bytes(const address_space& memory, std::uint64_t address) {
  if (address % page != head_bytes) return std::nullopt;
  const auto size = memory.read_object<std::uint64_t>(address - 8);
  if (!size || (*size & flags) != is_mapped || (*size & ~flags) % page != 0 || *size <= page) return std::nullopt;
  return *size & ~flags;
}

std::vector<chunk_object> mapped_chunks(const address_space& memory, const memory_region& region) {
  constexpr std::uint64_t max_pages_before = 64;
  constexpr std::uint64_t min_bytes_after_others = std::uint64_t{128} << 10U;  // from which on malloc maps by default
  std::vector<chunk_object> found;
  std::uint64_t pages_before = 0;
  for (std::uint64_t at = region.where.begin; at < region.where.end;) {
    // What lies before an aligned object is in the first word; of others it is 0.
    const auto before = memory.read_object<std::uint64_t>(at);
    const auto bytes = mapped_chunk_bytes(memory, at + head_bytes);
    const bool begins_chunk = before && *before < page && bytes && *bytes <= region.where.end - at &&
                              (pages_before == 0 || *bytes >= min_bytes_after_others);
    if (begins_chunk) {
      found.push_back({.address = at + head_bytes, .chunk_bytes = *bytes});
      at += *bytes;
    } else if (found.empty() && pages_before < max_pages_before) {
      ++pages_before;
      at += page;
    } else {
      break;
    }
  }
  return found;
}

std::optional<lone_chunk> lone_chunk_at(const address_space& memory, std::uint64_t address, std::uint64_t min_bytes) {
  constexpr std::uint64_t smallest = 32;
  const std::uint64_t head = address - 8;
  const auto size = memory.read_object<std::uint64_t>(head);
  const std::uint64_t bytes = size.value_or(0) & ~flags;
  if (bytes < std::max(min_bytes, smallest) || bytes % 16 != 0) return std::nullopt;
  const auto next = memory.read_object<std::uint64_t>(head + bytes);
  if (!next) return std::nullopt;
  return lone_chunk{.bytes = bytes, .in_use = (*next & previous_in_use) != 0};
}

bool is_cached_chunk(const address_space& memory, std::uint64_t address, std::uint64_t first_word,
                     std::uint64_t chunk_bytes) {
  constexpr unsigned page_bits = 12;
  const std::uint64_t next = first_word ^ (address >> page_bits);
  if (next == 0) return true;  // the last of its list
  if (next % 16 != 0 || next < page) return false;
  const auto* region = memory.region_at(next);
  if (region == nullptr || !region->writable) return false;
  // The lists of a thread (tcache) lead from object to object, those of an arena (fast bins) from chunk to chunk.
  const auto of_object = memory.read_object<std::uint64_t>(next - 8);
  if (of_object && (*of_object & ~flags) == chunk_bytes) return true;
  const auto of_chunk = memory.read_object<std::uint64_t>(next + 8);
  return of_chunk && (*of_chunk & ~flags) == chunk_bytes;
}

void chunk_walk::feed(std::uint64_t address, std::span<const std::byte> block) {
  // Chunks that have been asked for are not asked for again.
  known_.erase(known_.begin(), known_.begin() + static_cast<std::ptrdiff_t>(at_));
  at_ = 0;
  const std::uint64_t end = address + block.size();
  while (!broken_ && next_ < heap_.where.end && next_ + head_bytes <= end) {
    if (next_ < address) {  // A gap: the memory there was never touched.
      broken_ = true;
      return;
    }
    std::uint64_t size = 0;
    std::memcpy(&size, block.data() + (next_ - address) + 8, sizeof size);
    // A heap that is full ends with a fence post of no size.
    const std::uint64_t room = heap_.where.end - next_;
    const bool fence_post = (size & ~flags) == 0 && room <= 2 * head_bytes;
    if (!fence_post && !is_plausible(size, room, heap_.of_thread_arena)) {
      broken_ = true;
      return;
    }
    if (begun_) {
      known_.push_back({.begin = chunk_, .end = next_, .in_use = (size & previous_in_use) != 0});
      if (known_.back().in_use) used_ += next_ - chunk_;
    }
    begun_ = true;
    chunk_ = next_;
    next_ += fence_post ? room : size & ~flags;
  }
}

std::optional<chunk_state> chunk_walk::at(std::uint64_t address) {
  // The head of the next chunk is behind the last 8 bytes of an object, which belong to it.
  while (at_ < known_.size() && known_[at_].end + 8 <= address) ++at_;
  if (at_ == known_.size()) {
    if (finished_ && !broken_) return chunk_state::free;
    return std::nullopt;
  }
  const auto& chunk = known_[at_];
  if (!chunk.in_use) return chunk_state::free;
  return chunk.begin + head_bytes == address ? chunk_state::begins : chunk_state::inside;
}

}  // namespace tare::inspect
