#pragma once

// What the code says that allocates a frame. Internal to inspect/.

#include "inspect/machine/function_flow.hpp"

#include <cstdint>
#include <optional>

namespace tare::inspect {

/// What a coroutine asks operator new for before anything else. Nothing where its first call is another: an operator
/// new of the promise's own was inlined, say, and what that asks for is not the frame alone.
[[nodiscard]] std::optional<std::uint64_t> requested_bytes(const image& file, const disassembler& decoder,
                                                           const landing_pads& pads, const function_symbol& ramp);

/// The alignment that it asks operator new for (-fcoro-aligned-allocation); nothing where it asks for none.
[[nodiscard]] std::optional<std::uint64_t> requested_alignment(const image& file, const function_flow& ramp);

}  // namespace tare::inspect
