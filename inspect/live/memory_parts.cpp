#include "inspect/live/memory_parts.hpp"

#include "inspect/live/malloc_heap.hpp"

#include <algorithm>

namespace tare::inspect {
namespace {

/// The resident bytes of a region, and those not assigned to a part yet.
class remainder {
 public:
  explicit remainder(std::uint64_t bytes) : bytes_(bytes) {}
  /// Takes at most the bytes that are left; the others are not resident.
  void take(std::uint64_t wanted, std::uint64_t& target) {
    const std::uint64_t taken = std::min(wanted, bytes_);
    target += taken;
    bytes_ -= taken;
  }
  void take_all(std::uint64_t& target) { take(bytes_, target); }

 private:
  std::uint64_t bytes_;
};

class accountant {
 public:
  accountant(const address_space& memory, const found_frames& found, std::span<const arena> arenas)
      : memory_(memory), found_(found), arenas_(arenas), stacks_(memory.stacks()) {}

  memory_parts all() {
    const auto resident = memory_.resident();
    const auto regions = memory_.regions();
    const memory_region* before = nullptr;
    for (std::size_t i = 0; i < regions.size(); ++i) {
      region(regions[i], before, i < resident.size() ? resident[i] : 0);
      before = &regions[i];
    }
    // Regions that appeared while the process was read.
    for (std::size_t i = regions.size(); i < resident.size(); ++i) parts_.rest += resident[i];
    return parts_;
  }

 private:
  void region(const memory_region& area, const memory_region* before, std::uint64_t resident) {
    remainder left(resident);
    const std::uint64_t frames = frames_in(area.where);
    left.take(frames, parts_.frames);
    if (in_arena(area, left)) return;
    const bool file = area.path.starts_with('/') && !area.shared;
    // Zero-initialized variables follow those of the file.
    const bool of_file_before =
        in_file_ && before != nullptr && before->where.end == area.where.begin && area.path.empty() && area.writable;
    in_file_ = file;
    if (file || of_file_before) return left.take_all(parts_.binaries);
    if (is_stack(area, before)) return left.take_all(parts_.stacks);
    in_malloc(area, frames, left);
    left.take_all(parts_.rest);
  }

  /// Whether the region belongs to an arena; the rest of it is free.
  bool in_arena(const memory_region& region, remainder& left) {
    for (const auto& each : arenas_) {
      if (overlap(each.table_range(), region.where) != 0) {
        left.take(overlap(each.table_range(), region.where), parts_.runtime);
        if (overlap(each.frames_range(), region.where) == 0) return false;
      }
      if (overlap(each.frames_range(), region.where) == 0) continue;
      left.take(each.records_in(region.where), parts_.runtime);
      left.take_all(parts_.arena_free);
      return true;
    }
    return false;
  }

  void in_malloc(const memory_region& region, std::uint64_t frames, remainder& left) {
    std::uint64_t used = 0;
    bool heap = false;
    bool whole = true;
    for (const auto& each : found_.heaps) {
      if (overlap(each.where, region.where) == 0) continue;
      heap = true;
      whole = whole && each.whole;
      used += each.used_bytes;
    }
    for (const auto& each : heap ? std::vector<chunk_object>{} : mapped_chunks(memory_, region))
      used += each.chunk_bytes;
    left.take(used - std::min(used, frames), parts_.malloc_used);
    if (heap && whole) left.take_all(parts_.malloc_free);
  }

  [[nodiscard]] bool is_stack(const memory_region& region, const memory_region* before) const {
    if (region.path == "[stack]") return true;
    if (std::ranges::any_of(stacks_,
                            [&](const address_range& address_range) { return address_range.end == region.where.end; }))
      return true;
    const bool guarded = before != nullptr && before->where.end == region.where.begin && !before->readable;
    return region.path.empty() && guarded && is_thread_stack(memory_, region);
  }

  /// Bytes of the frames that begin in a range.
  [[nodiscard]] std::uint64_t frames_in(const address_range& where) const {
    std::uint64_t bytes = 0;
    for (auto found = std::ranges::lower_bound(found_.frames, where.begin, {}, &found_frame::address);
         found != found_.frames.end() && found->address < where.end; ++found) {
      bytes += found->bytes;
    }
    return bytes;
  }

  static std::uint64_t overlap(const address_range& a, const address_range& b) {
    const std::uint64_t begin = std::max(a.begin, b.begin);
    const std::uint64_t end = std::min(a.end, b.end);
    return end > begin ? end - begin : 0;
  }

  const address_space& memory_;
  const found_frames& found_;
  std::span<const arena> arenas_;
  std::vector<address_range> stacks_;
  bool in_file_ = false;
  memory_parts parts_;
};

}  // namespace

memory_parts account_for(const address_space& memory, const found_frames& found, std::span<const arena> arenas) {
  return accountant(memory, found, arenas).all();
}

}  // namespace tare::inspect
