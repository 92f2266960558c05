#pragma once

// The size and alignment that the code requests for a frame. Internal to inspect/.

#include "inspect/machine/function_flow.hpp"

#include <cstdint>
#include <optional>

namespace tare::inspect {

/// The bytes that a coroutine requests from operator new in its first call. nullopt if its first call is another one:
/// for example, if the promise's own operator new was inlined, which may request more than the frame.
[[nodiscard]] std::optional<std::uint64_t> requested_bytes(const image& file, const disassembler& decoder,
                                                           const landing_pads& pads, const function_symbol& ramp);
[[nodiscard]] std::optional<std::uint64_t> requested_bytes(const image& file, const function_flow& ramp);

/// The alignment that it requests from operator new (-fcoro-aligned-allocation); nullopt if it requests none.
[[nodiscard]] std::optional<std::uint64_t> requested_alignment(const image& file, const function_flow& ramp);

}  // namespace tare::inspect
