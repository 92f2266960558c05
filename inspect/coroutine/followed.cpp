#include "inspect/coroutine/followed.hpp"

#include "inspect/coroutine/frame_access.hpp"
#include "inspect/dwarf/location.hpp"
#include "inspect/dwarf/type_text.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

namespace tare::inspect {
namespace {

namespace dwarf = llvm::dwarf;

/// The frame's address in a ramp, in the place that the debug information names.
std::optional<value> described_frame(const frame_function& ramp) {
  std::optional<value> frame;
  for (const auto& child : ramp.die.children()) {
    if (child.getTag() != dwarf::DW_TAG_variable || short_name(child) != "__coro_frame") continue;
    auto locations = child.getLocations(dwarf::DW_AT_location);
    if (!locations) {
      llvm::consumeError(locations.takeError());
      break;
    }
    std::map<std::pair<origin, std::int64_t>, std::uint64_t> votes;
    for (const auto& location : *locations) {
      const auto& range = location.Range;
      if (!range) continue;
      const std::uint64_t weight = range->HighPC - range->LowPC;
      const machine_state* state = ramp.flow->state_at(range->LowPC);
      if (state == nullptr) continue;
      for (const auto& piece : locate(location.Expr, *state, frame_base_of(ramp.die, *state), 8)) {
        if (piece.address.is_constant() || piece.address.base == stack_origin) continue;
        votes[{piece.address.base, piece.address.offset}] += weight;
      }
    }
    const auto best = std::ranges::max_element(votes, {}, [](const auto& each) { return each.second; });
    if (best != votes.end()) frame = value::of(best->first.first, best->first.second);
  }
  return frame;
}

/// The frame's address in a ramp, if the code stores the address of the resume function there: into the frame's first
/// word.
std::optional<value> initialized_frame(const frame_function& ramp, const frame_source& source) {
  for (const auto& body : source.functions) {
    if (body.role != function_role::resume || body.ranges.empty()) continue;
    const std::uint64_t resume = body.ranges.front().begin;
    const auto is_resume = [resume](const constant& constant) { return constant.value == resume; };
    std::optional<value> frame;
    for_each_access(ramp, [&](std::size_t, const memory_access& access) {
      if (frame || access.what != memory_access::kind::write || access.bytes != 8 || access.base == stack_origin ||
          std::ranges::none_of(access.written, is_resume)) {
        return;
      }
      frame = value::of(access.base, access.offset);
    });
    if (frame) return frame;
  }
  return std::nullopt;
}

/// In a ramp the frame is the value that the allocator returned; the others receive it.
std::optional<value> frame_in(const frame_function& function, const frame_source& source) {
  if (function.role != function_role::ramp) return value::of(first_argument_origin);
  if (const auto initialized = initialized_frame(function, source)) return initialized;
  return described_frame(function);
}

}  // namespace

frame_source followed(const unit_context& unit, frame_source source) {
  std::map<std::uint64_t, std::shared_ptr<function_flow>> known;
  for (auto& function : source.functions) {
    auto& flow = known[function.ranges.front().begin];
    if (!flow) flow = std::make_shared<function_flow>(unit.file, unit.decoder, unit.pads, function.ranges);
    function.flow = flow;
  }
  for (auto& function : source.functions) {
    const auto frame = frame_in(function, source);
    function.frame_known = frame.has_value();
    if (frame) function.frame = *frame;
  }
  return source;
}

}  // namespace tare::inspect
