#pragma once

// Which bytes of the frame are still of use at each await, from the machine code. Internal to inspect/.
//
// A byte is live at an await if the code that may run after it reads the byte before it is overwritten, on the way of
// resuming or of destroying. What the machine code cannot tell is answered with "held": an object whose address went
// into a call is held as long as its variable is in scope, and without a variable for good. So nothing that is used
// later is ever called dead; some of what is called held is not used.

#include "inspect/coroutine/awaits.hpp"
#include "inspect/coroutine/variables.hpp"

namespace tare::inspect {

/// Fills in the bytes and the variables of every await.
void find_liveness(const frame_source& source, const std::vector<scoped_variable>& variables,
                   std::vector<found_await>& awaits, const coroutine& of);

/// All bytes held, where the code cannot be read.
void assume_whole_frame(std::vector<found_await>& awaits, const coroutine& of);

}  // namespace tare::inspect
