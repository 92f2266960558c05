#pragma once

// Variables whose members could be in an order that takes less space. Internal to inspect/coroutine/.

#include "inspect/coroutine/unit_context.hpp"
#include "inspect/facts/coroutine.hpp"

#include <vector>

namespace tare::inspect {

/// Those of the program's own classes that do not share their place in the frame.
[[nodiscard]] std::vector<loose_variable> find_loose_variables(const unit_context& unit,
                                                               const std::vector<frame_field>& fields);

}  // namespace tare::inspect
