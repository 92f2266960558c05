#include "inspect/coroutine/frame_effects.hpp"

#include "inspect/coroutine/frame_access.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

namespace tare::inspect {

frame_effects::frame_effects(const frame_source& source, const std::vector<found_await>& awaits,
                             const coroutine& coroutine, const frame_atoms& atoms)
    : source_(source), awaits_(awaits), of_(coroutine), atoms_(atoms) {
  find_stored_pointers();
  for (const auto& function : source.functions) {
    if (is_followed(function)) collect(function);
  }
}

void frame_effects::find_stored_pointers() {
  const auto in_frame = [&](std::int64_t offset) { return offset >= 0 && std::cmp_less(offset, atoms_.frame_bytes()); };
  for (const auto& function : source_.functions) {
    if (!is_followed(function)) continue;
    for_each_frame_access(function, [&](std::size_t, const memory_access& access, std::int64_t to) {
      const std::int64_t index = access.into_offset - function.frame.offset;
      if (access.what != memory_access::kind::passed || access.into != function.frame.base || !in_frame(index) ||
          !in_frame(to)) {
        return;
      }
      const byte_range object = atoms_.object_at(static_cast<std::uint64_t>(to));
      if (std::cmp_less(index, object.begin) || std::cmp_greater_equal(index, object.end)) {
        stored_in_.emplace(atoms_.at(static_cast<std::uint64_t>(index)), object);
      } else {
        self_pointers_.emplace(static_cast<std::uint64_t>(index), object);
      }
    });
  }
}

void frame_effects::add_pointees(llvm::BitVector& atoms) const {
  for (bool changed = true; changed;) {
    changed = false;
    for (const auto& [holder, object] : stored_in_) {
      if (!atoms.test(holder)) continue;
      for (unsigned i = atoms_.at(object.begin); i < atoms_.count() && atoms_[i].begin < object.end; ++i) {
        changed |= !atoms.test(i);
        atoms.set(i);
      }
    }
  }
}

void frame_effects::collect(const frame_function& function) {
  function_effects found{.function = &function, .at = {}, .begins = {}};
  found.at.resize(function.flow->instructions().size());
  for_each_access(function, [&](std::size_t i, const memory_access& access) {
    if (const auto made = effect_of(access, function)) found.at[i].push_back(*made);
    if (chooses_unknown(access, function)) {
      // Any suspension may begin here.
      found.begins[i].resize(awaits_.size());
      std::iota(found.begins[i].begin(), found.begins[i].end(), std::size_t{0});
    }
  });
  for (std::size_t number = 0; number < awaits_.size(); ++number) {
    for (const auto& site : awaits_[number].sites) {
      if (site.function != &function) continue;
      if (const auto place = function.flow->index_of(site.address)) found.begins[*place].push_back(number);
    }
  }
  functions_.push_back(std::move(found));
}

bool frame_effects::is_listed(std::uint64_t index) const {
  return std::ranges::any_of(awaits_, [&](const found_await& await) { return await.point.index == index; });
}

/// Whether an unknown suspend index is stored.
bool frame_effects::chooses_unknown(const memory_access& access, const frame_function& function) const {
  if (function.role != function_role::ramp && function.role != function_role::resume) return false;
  if (!of_.index_offset || access.what != memory_access::kind::write || access.base != function.frame.base) {
    return false;
  }
  const std::int64_t begin = access.offset - function.frame.offset;
  const auto index = static_cast<std::int64_t>(*of_.index_offset);
  const std::uint64_t bytes = std::max<std::uint64_t>(access.bytes, 1);
  if (begin >= index + of_.index_bytes || begin + static_cast<std::int64_t>(bytes) <= index) return false;
  return begin != index || access.written.empty() || std::ranges::any_of(access.written, [&](const constant& constant) {
           return !is_listed(constant.value) &&
                  (source_.made_by != producer::gcc || (constant.value != 0 && constant.value % 2 == 0));
         });
}

std::optional<effect> frame_effects::effect_of(const memory_access& access, const frame_function& function) const {
  if (access.base != function.frame.base) return std::nullopt;
  const std::int64_t signed_offset = access.offset - function.frame.offset;
  if (signed_offset < 0 || std::cmp_greater_equal(signed_offset, atoms_.frame_bytes())) return std::nullopt;
  const auto offset = static_cast<std::uint64_t>(signed_offset);
  effect found;
  byte_range range{offset, offset + access.bytes};
  switch (access.what) {
    case memory_access::kind::read:
      for (const auto& [place, object] : self_pointers_) {
        if (access.indexed || place >= range.end || place + 8 <= range.begin) continue;
        range = {std::min(range.begin, object.begin), std::max(range.end, object.end)};
      }
      break;
    case memory_access::kind::write:
      found.what = effect::kind::write;
      found.certain = access.whole && access.bytes > 0;
      break;
    case memory_access::kind::passed:
      // The frame's own address is its handle, through which only the head and the promise are used.
      if (!access.indexed && (offset < frame_head_bytes || offset == of_.promise_offset)) return std::nullopt;
      found.what = effect::kind::passed;
      break;
  }
  if (access.indexed) {
    range = atoms_.indexed_from(offset, access.bytes);
  } else if (access.bytes == 0 || access.what == memory_access::kind::passed) {
    range = atoms_.object_at(offset);
    // A pointer of an object into itself, as in a short std::string, does not make it known outside.
    const std::int64_t target = access.into_offset - function.frame.offset;
    if (access.into == function.frame.base && std::cmp_greater_equal(target, range.begin) &&
        std::cmp_less(target, range.end)) {
      return std::nullopt;
    }
  }
  range.end = std::min(range.end, atoms_.frame_bytes());
  if (range.begin >= range.end) return std::nullopt;
  found.first = atoms_.at(range.begin);
  found.last = atoms_.at(range.end - 1) + 1;
  if (found.what == effect::kind::write && atoms_[found.last - 1].end > range.end) found.certain = false;
  return found;
}

}  // namespace tare::inspect
