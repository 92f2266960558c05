#pragma once

// Who waits for whom among the frames that were found. Internal to inspect/.
//
// One rule: a word of a frame's promise that leads into another known frame, be it to its beginning, to its promise or
// to an awaiter, a latch or a list's node among its variables, says that this other frame waits. Members of which type
// and name say that they lead to the continuation come first. What leads down instead, to a frame that this one holds
// or waits for itself, is told from that by who holds whose address, and by circles.

#include "inspect/live/found_frame.hpp"
#include "inspect/memory/address_space.hpp"

#include <functional>
#include <span>
#include <vector>

namespace tare::inspect {

struct coroutine;

/// Fills in `waiter` of frames: the address at which the frame that waits begins, or 0. Frames are by address; those in
/// `known` ranges have their waiters already.
void find_waiters(const address_space& memory, std::span<const coroutine> coroutines,
                  std::span<const address_range> known, std::vector<found_frame>& frames);

}  // namespace tare::inspect
