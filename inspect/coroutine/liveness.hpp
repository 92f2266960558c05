#pragma once

// Determines from the machine code which bytes of the frame are still needed at each await. Internal to inspect/.
//
// A byte is live at an await if the code that may run after it, when the coroutine is resumed or destroyed, reads the
// byte before it is overwritten. If the machine code does not decide, the byte is held: an object whose address was
// passed to a call is held while its variable is in scope, and forever if it has no variable. So no byte that is used
// later is called dead, but some held bytes are not used.

#include "inspect/coroutine/awaits.hpp"
#include "inspect/coroutine/variables.hpp"

namespace tare::inspect {

/// The awaits, with the bytes and the variables of each.
[[nodiscard]] std::vector<found_await> with_liveness(std::vector<found_await> awaits, const frame_source& source,
                                                     const std::vector<scoped_variable>& variables,
                                                     const coroutine& coroutine);

/// The awaits, at each of which all bytes are held: for code that cannot be read.
[[nodiscard]] std::vector<found_await> with_whole_frame(std::vector<found_await> awaits, const coroutine& coroutine);

}  // namespace tare::inspect
