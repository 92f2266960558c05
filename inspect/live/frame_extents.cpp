#include "inspect/live/frame_extents.hpp"

#include <algorithm>

namespace tare::inspect {
namespace {

/// Compilers merge a few frames into one; malicious memory may look as if they had merged thousands.
constexpr int deepest = 64;

}  // namespace

frame_extents::frame_extents(std::span<const found_frame> frames, std::span<const coroutine> coroutines) {
  constexpr std::uint64_t pointers = 16;
  parts_.reserve(frames.size());
  std::vector<std::uint32_t> open;  // the frames that the current address is in, the innermost last
  for (const auto& frame : frames) {
    const coroutine* subject =
        frame.coroutine == found_frame::unknown_coroutine ? nullptr : &coroutines[frame.coroutine];
    std::uint64_t bytes = subject != nullptr && subject->frame_bytes ? *subject->frame_bytes : frame.bytes;
    bytes = std::max(bytes, pointers);
    std::uint64_t head = pointers;
    if (subject != nullptr && subject->promise_bytes != 0)
      head = std::min(subject->promise_offset + subject->promise_bytes, bytes);
    while (!open.empty() && frame.address >= parts_[open.back()].end) open.pop_back();
    parts_.push_back({.begin = frame.address,
                      .end = frame.address + bytes,
                      .head_bytes = static_cast<std::uint32_t>(std::max(head, pointers)),
                      .around = open.empty() ? none : open.back()});
    open.push_back(static_cast<std::uint32_t>(parts_.size() - 1));
    end_ = std::max(end_, frame.address + bytes);
  }
}

std::uint32_t frame_extents::frame_at(std::uint64_t address) const noexcept {
  if (parts_.empty() || address < parts_.front().begin || address >= end_) return none;
  const auto behind = std::ranges::upper_bound(parts_, address, {}, &part::begin);
  auto found = static_cast<std::uint32_t>(behind - parts_.begin() - 1);
  for (int depth = 0; found != none && address >= parts_[found].end; ++depth) {
    found = depth < deepest ? parts_[found].around : none;
  }
  return found;
}

bool frame_extents::is_inside(std::uint32_t inner, std::uint32_t outer) const noexcept {
  std::uint32_t index = parts_[inner].around;
  for (int depth = 0; index != none && depth < deepest; ++depth, index = parts_[index].around) {
    if (index == outer) return true;
  }
  return false;
}

}  // namespace tare::inspect
