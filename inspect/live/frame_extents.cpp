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
    const coroutine* of = frame.coroutine == found_frame::unknown_coroutine ? nullptr : &coroutines[frame.coroutine];
    std::uint64_t bytes = of != nullptr && of->frame_bytes ? *of->frame_bytes : frame.bytes;
    bytes = std::max(bytes, pointers);
    std::uint64_t head = pointers;
    if (of != nullptr && of->promise_bytes != 0) head = std::min(of->promise_offset + of->promise_bytes, bytes);
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
  auto at = static_cast<std::uint32_t>(behind - parts_.begin() - 1);
  for (int depth = 0; at != none && address >= parts_[at].end; ++depth) {
    at = depth < deepest ? parts_[at].around : none;
  }
  return at;
}

bool frame_extents::is_inside(std::uint32_t inner, std::uint32_t outer) const noexcept {
  std::uint32_t at = parts_[inner].around;
  for (int depth = 0; at != none && depth < deepest; ++depth, at = parts_[at].around) {
    if (at == outer) return true;
  }
  return false;
}

}  // namespace tare::inspect
