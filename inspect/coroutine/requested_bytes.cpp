#include "inspect/coroutine/requested_bytes.hpp"

#include "inspect/coroutine/layout.hpp"

#include <llvm/Demangle/Demangle.h>

#include <algorithm>
#include <bit>
#include <string>
#include <string_view>

namespace tare::inspect {
namespace {

/// The global one, or a class's, which may be a template.
bool is_operator_new(std::string_view symbol) {
  const std::string name = llvm::demangle(symbol);
  return name.starts_with("operator new(") || name.contains("::operator new(") || name.contains("::operator new<");
}

/// A coroutine allocates its frame before it calls anything else.
const direct_call* first_call(const function_flow& flow) {
  const auto first = std::ranges::min_element(flow.calls(), {}, &direct_call::instruction);
  return first == flow.calls().end() ? nullptr : &*first;
}

std::optional<std::uint64_t> argument(const function_flow& flow, const direct_call& call, register_name place) {
  const machine_state* state = flow.state_at(call.instruction);
  return state == nullptr ? std::nullopt : state->registers[register_index(place)].known();
}

}  // namespace

std::optional<std::uint64_t> requested_bytes(const image& file, const disassembler& decoder, const landing_pads& pads,
                                             const function_symbol& ramp) {
  if (ramp.bytes == 0) return std::nullopt;
  return requested_bytes(
      file, function_flow(file, decoder, pads, {{.begin = ramp.address, .end = ramp.address + ramp.bytes}}));
}

std::optional<std::uint64_t> requested_bytes(const image& file, const function_flow& ramp) {
  const auto* call = first_call(ramp);
  if (call == nullptr || !is_operator_new(file.name_at(call->target))) return std::nullopt;
  const auto bytes = argument(ramp, *call, rdi);
  return bytes && is_frame_size(*bytes) ? bytes : std::nullopt;
}

std::optional<std::uint64_t> requested_alignment(const image& file, const function_flow& ramp) {
  const auto* call = first_call(ramp);
  if (call == nullptr || file.name_at(call->target) != "_ZnwmSt11align_val_t") return std::nullopt;
  const auto alignment = argument(ramp, *call, rsi);
  return alignment && std::has_single_bit(*alignment) ? alignment : std::nullopt;
}

}  // namespace tare::inspect
