#include "inspect/live/arena.hpp"

#include "inspect/live/frame_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>

namespace tare::inspect {
namespace {

constexpr std::uint64_t page = 4096;

template <class T>
T number_at(std::span<const std::byte> from, std::size_t offset) {
  T number{};
  if (offset + sizeof number <= from.size()) std::memcpy(&number, from.data() + offset, sizeof number);
  return number;
}

/// Whether the numbers are plausible.
bool is_sound(const abi::arena& abi) {
  constexpr std::uint32_t max_slab = 1U << 30U;
  constexpr std::uint64_t max_slabs = std::uint64_t{1} << 24U;
  constexpr std::uint32_t max_entry = 4096;
  return std::has_single_bit(abi.slab_bytes) && abi.slab_bytes >= page && abi.slab_bytes <= max_slab &&
         abi.slab_entry_bytes >= 16 && abi.slab_entry_bytes <= max_entry && abi.slabs <= max_slabs &&
         abi.link_unit != 0 && abi.base % abi.slab_bytes == 0 && abi.promise_at < page && abi.parent_at < page &&
         abi.parent_kind_at < page && abi.parent_kind_shift < 8;
}

}  // namespace

std::optional<arena> arena::open(const address_space& memory, const abi::arena& abi, std::vector<std::string>& notes) {
  if (abi.magic != abi::arena::expected_magic) return std::nullopt;
  if (abi.version != abi::arena::current_version || abi.bytes != sizeof abi) {
    notes.push_back(
        fmt::format("the program's arena has version {}, but this command supports version {}: its frames "
                    "are found like those of other libraries",
                    abi.version, abi::arena::current_version));
    return std::nullopt;
  }
  if (abi.base == 0) return std::nullopt;
  arena opened(memory, abi);
  if (!is_sound(abi) || !opened.read_table()) {
    notes.emplace_back("the program's arena is damaged: its frames are found like those of other libraries");
    return std::nullopt;
  }
  return opened;
}

bool arena::read_table() {
  const std::uint64_t entry_bytes = abi_.slab_entry_bytes;
  std::vector<std::byte> bytes(abi_.slabs * entry_bytes);
  if (memory_.read(abi_.table, bytes) != bytes.size()) return false;
  table_.reserve(abi_.slabs);
  std::uint64_t rest_of_run = 0;  // slabs that belong to the preceding large object
  for (std::uint64_t i = 0; i < abi_.slabs; ++i) {
    const auto entry = std::span(bytes).subspan(i * entry_bytes, entry_bytes);
    slab slab;
    const auto use = number_at<std::uint8_t>(entry, abi_.use_at);
    slab.object_bytes = number_at<std::uint32_t>(entry, abi_.object_bytes_at);
    slab.frames = use == abi_.use_frames || use == abi_.use_large_frame;
    const auto capacity = number_at<std::uint32_t>(entry, abi_.capacity_at);
    const auto fresh = number_at<std::uint32_t>(entry, abi_.fresh_at);
    slab.objects = capacity >= fresh ? capacity - fresh : 0;
    const auto run = number_at<std::uint32_t>(entry, abi_.run_at);
    if (use == 0 || slab.object_bytes < 16) {
      slab = {};
      if (rest_of_run != 0) {
        --rest_of_run;
        slab.before = table_.back().before + 1;
      }
      table_.push_back(slab);
      continue;
    }
    rest_of_run = run > 1 ? run - 1 : 0;
    if (run != 0) {
      slab.objects = 1;
    } else if (slab.object_bytes > abi_.slab_bytes || slab.objects > abi_.slab_bytes / slab.object_bytes) {
      slab = {};
    }
    table_.push_back(slab);
  }
  return true;
}

address_range arena::frames_range() const noexcept {
  return {.begin = abi_.base, .end = abi_.base + table_.size() * abi_.slab_bytes};
}

address_range arena::table_range() const noexcept {
  return {.begin = abi_.table, .end = abi_.table + table_.size() * abi_.slab_entry_bytes};
}

std::uint64_t arena::records_in(const address_range& where) const noexcept {
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < table_.size(); ++i) {
    const slab& slab = table_[i];
    if (slab.frames || !where.contains(abi_.base + i * abi_.slab_bytes)) continue;
    bytes += std::uint64_t{slab.objects} * slab.object_bytes;
  }
  return bytes;
}

void arena::walk(const frame_index& known, std::span<const coroutine> coroutines, bool waiters, found_frames& found) {
  std::vector<std::byte> buffer(abi_.slab_bytes);
  for (std::size_t i = 0; i < table_.size(); ++i) {
    const slab& slab = table_[i];
    if (!slab.frames || slab.objects == 0) continue;
    const std::uint64_t start = abi_.base + i * abi_.slab_bytes;
    const std::size_t wanted = std::min<std::uint64_t>(std::uint64_t{slab.objects} * slab.object_bytes, buffer.size());
    const auto content = std::span(buffer).first(memory_.read(start, std::span(buffer).first(wanted)));
    found.scanned_bytes += content.size();
    const memory_window window(memory_, start, content);
    for (std::uint32_t object = 0; object < slab.objects; ++object) {
      const std::size_t index = std::size_t{object} * slab.object_bytes;
      if (index + 16 > content.size()) break;
      const auto destroy = number_at<std::uint64_t>(content, index + 8);
      if (destroy == 0) continue;  // how the arena marks what is free
      found_frame frame{.address = start + index, .bytes = slab.object_bytes};
      const auto resume = number_at<std::uint64_t>(content, index);
      if (const auto match = known.find(resume, destroy); match) {
        frame.coroutine = match->coroutine;
        frame.ended = match->ended;
        if (!read_index(window, coroutines[match->coroutine], frame)) {
          ++found.freed;
          continue;
        }
      }
      if (waiters) {
        const auto parent = number_at<std::uint32_t>(content, index + abi_.parent_at);
        const auto kind = number_at<std::uint8_t>(content, index + abi_.parent_kind_at) >> abi_.parent_kind_shift;
        frame.waiter = waiter_of(parent, static_cast<std::uint8_t>(kind));
      }
      found.frames.push_back(frame);
    }
  }
}

std::uint64_t arena::target(std::uint32_t link) const noexcept {
  return link == 0 ? 0 : abi_.base + std::uint64_t{link} * abi_.link_unit;
}

const arena::slab* arena::slab_of(std::uint64_t address) const noexcept {
  if (!frames_range().contains(address)) return nullptr;
  return &table_[(address - abi_.base) / abi_.slab_bytes];
}

std::uint64_t arena::object_of(std::uint64_t address) const noexcept {
  const slab* in = slab_of(address);
  if (in == nullptr) return 0;
  const std::uint64_t start = address / abi_.slab_bytes * abi_.slab_bytes - in->before * std::uint64_t{abi_.slab_bytes};
  in -= in->before;
  if (in->object_bytes == 0) return 0;
  const std::uint64_t number = (address - start) / in->object_bytes;
  return number < in->objects ? start + number * in->object_bytes : 0;
}

std::uint64_t arena::frame_of(std::uint64_t address) const noexcept {
  const std::uint64_t object = object_of(address);
  const slab* in = slab_of(object);
  return in != nullptr && in->frames ? object : 0;
}

std::uint64_t arena::waiter_of(std::uint32_t parent, std::uint8_t kind) {
  const std::uint64_t to = target(parent);
  if (to == 0) return 0;
  if (kind == abi_.parent_is_frame) return frame_of(to);
  if (kind == abi_.parent_is_scope) return owner_of_scope(to);
  if (kind == abi_.parent_is_branch) return waiter_of_branch(to);
  return 0;
}

/// A scope or a group is in the frame that waits for it; otherwise it has the address of the frame that joins it, if
/// any.
std::uint64_t arena::waiter_behind(std::uint64_t node) const {
  if (const std::uint64_t frame = frame_of(node); frame != 0) return frame;
  const auto owner = memory_.read_object<std::uint32_t>(node + abi_.owner_of_node_at);
  return owner ? frame_of(target(*owner)) : 0;
}

std::uint64_t arena::owner_of_scope(std::uint64_t slots) {
  const std::uint64_t record = object_of(slots);
  if (record == 0) return 0;
  const auto [known, added] = scopes_.emplace(record, 0);
  if (added) {
    const auto scope = memory_.read_object<std::uint64_t>(record);
    if (scope) known->second = waiter_behind(*scope);
  }
  return known->second;
}

std::uint64_t arena::waiter_of_branch(std::uint64_t branch) {
  // A task that has moved to another shard has a stand-in, which has a parent of its own.
  constexpr int max_stand_ins = 8;
  for (int step = 0; step < max_stand_ins; ++step) {
    if (const std::uint64_t frame = frame_of(branch); frame != 0) return frame;
    const auto group = memory_.read_object<std::uint64_t>(branch + abi_.group_of_branch_at);
    if (!group) return 0;
    if (frame_of(*group) != 0) return frame_of(*group);
    const auto parent = memory_.read_object<std::uint32_t>(branch + abi_.parent_of_stand_in_at);
    const auto kind_byte =
        memory_.read_object<std::uint8_t>(branch + abi_.parent_of_stand_in_at + (abi_.parent_kind_at - abi_.parent_at));
    if (!parent || !kind_byte) return 0;
    const auto kind = static_cast<std::uint8_t>(*kind_byte >> abi_.parent_kind_shift);
    if (kind != abi_.parent_is_branch) return waiter_of(*parent, kind);
    branch = target(*parent);
  }
  return 0;
}

std::vector<address_range> covered_by(std::span<const arena> arenas) {
  std::vector<address_range> covered;
  for (const auto& each : arenas) {
    covered.push_back(each.frames_range());
    covered.push_back(each.table_range());
  }
  std::ranges::sort(covered, {}, &address_range::begin);
  return covered;
}

}  // namespace tare::inspect
