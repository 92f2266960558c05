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

/// Whether some consecutive chunks from this address are plausible.
bool is_chunk(const address_space& memory, std::uint64_t address, std::uint64_t end, bool thread_arena) {
  constexpr int enough = 8;
  for (int seen = 0; seen < enough && address < end; ++seen) {
    const auto size = memory.read_object<std::uint64_t>(address + 8);
    if (!size || !is_plausible(*size, end - address, thread_arena)) return false;
    // No chunk precedes the first one, so none can be free.
    if (seen == 0 && (*size & previous_in_use) == 0) return false;
    address += *size & ~flags;
  }
  return true;
}

/// The beginning of each 64 MiB of a thread arena.
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
  // Only pages that exist: a region may have any size.
  for (const auto& range : memory.present(region)) {
    for (std::uint64_t address = (range.begin + max_heap_bytes - 1) / max_heap_bytes * max_heap_bytes;
         address >= range.begin && address < range.end; address += max_heap_bytes) {
      const auto head = memory.read_object<heap_head>(address);
      if (!head || head->bytes < page || head->bytes > max_heap_bytes || head->bytes % page != 0 ||
          head->accessible_bytes < head->bytes || head->bytes > region.where.end - address) {
        continue;
      }
      const std::uint64_t end = address + head->bytes;
      // The head has grown with versions of glibc; in the first heap of an arena the arena's state follows it.
      constexpr std::array<std::uint64_t, 2> head_sizes{0x20, 0x30};
      constexpr std::uint64_t max_state = 0x1000;
      for (const std::uint64_t size : head_sizes) {
        const bool first = head->arena == address + size;
        std::uint64_t chunk = address + size;
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

namespace {

/// The chunk that malloc has mapped at this address, if there is one.
std::optional<chunk_object> mapped_chunk_at(const address_space& memory, std::uint64_t address, std::uint64_t end) {
  // The first word is the distance to an aligned object, and 0 for other objects.
  const auto before = memory.read_object<std::uint64_t>(address);
  const auto bytes = mapped_chunk_bytes(memory, address + head_bytes);
  if (!before || *before >= page || !bytes || *bytes > end - address) return std::nullopt;
  return chunk_object{.address = address + head_bytes, .chunk_bytes = *bytes};
}

/// The first mapped chunk that follows a few pages of something else. Reading an absent page would make it resident in
/// the process, so only present pages are read.
std::optional<chunk_object> chunk_after_others(const address_space& memory, const memory_region& region) {
  constexpr std::uint64_t max_pages_before = 64;
  constexpr std::uint64_t min_bytes = std::uint64_t{128} << 10U;  // malloc's default threshold
  const std::uint64_t last = region.where.begin + std::min(region.where.bytes(), (max_pages_before + 1) * page);
  for (const auto& range : memory.present(region)) {
    for (std::uint64_t address = range.begin; address < std::min(range.end, last); address += page) {
      const auto chunk = mapped_chunk_at(memory, address, region.where.end);
      if (chunk && chunk->chunk_bytes >= min_bytes) return chunk;
    }
  }
  return std::nullopt;
}

}  // namespace

std::vector<chunk_object> mapped_chunks(const address_space& memory, const memory_region& region) {
  auto chunk = mapped_chunk_at(memory, region.where.begin, region.where.end);
  if (!chunk) chunk = chunk_after_others(memory, region);
  std::vector<chunk_object> found;
  while (chunk) {
    found.push_back(*chunk);
    const std::uint64_t next = chunk->address - head_bytes + chunk->chunk_bytes;
    chunk = next < region.where.end ? mapped_chunk_at(memory, next, region.where.end) : std::nullopt;
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
  // The lists of a thread (tcache) link objects, those of an arena (fast bins) link chunks.
  const auto of_object = memory.read_object<std::uint64_t>(next - 8);
  if (of_object && (*of_object & ~flags) == chunk_bytes) return true;
  const auto of_chunk = memory.read_object<std::uint64_t>(next + 8);
  return of_chunk && (*of_chunk & ~flags) == chunk_bytes;
}

void chunk_walk::feed(std::uint64_t address, std::span<const std::byte> block) {
  // Chunks before the last query are not needed again.
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
    // A full heap ends with a fence post of size 0.
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
  // The last 8 bytes of an object overlap the head of the next chunk.
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
