#pragma once

// Finds out which of the frames waits for which. Internal to inspect/.
//
// The rule: a word in a frame's promise that points into another frame means that the other frame waits for this one.
// It may point to the beginning of that frame, to its promise, or to an awaiter, a latch or a list node among its
// variables. Members whose type and name say that they are the continuation take precedence. A word may also point
// down, to a frame that this one owns or awaits. Such words are recognized by which frame holds the address of which,
// and by cycles.

#include "inspect/live/found_frame.hpp"
#include "inspect/memory/address_space.hpp"

#include <functional>
#include <span>
#include <vector>

namespace tare::inspect {

struct coroutine;

/// Sets `waiter` of each frame to the address of the waiting frame, or to 0. Frames are sorted by address; those in
/// `known` ranges already have their waiters.
void find_waiters(const address_space& memory, std::span<const coroutine> coroutines,
                  std::span<const address_range> known, std::vector<found_frame>& frames);

}  // namespace tare::inspect
