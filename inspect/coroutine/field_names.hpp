#pragma once

// Names the fields of a frame after the variables in them. Internal to inspect/coroutine/.

#include "inspect/coroutine/variables.hpp"

#include <vector>

namespace tare::inspect {

/// The variables, those of which are parameters marked: g++ describes the copies of parameters as variables, and the
/// order of the frame's fields shows which these are.
[[nodiscard]] std::vector<scoped_variable> with_gcc_parameters(std::vector<scoped_variable> variables,
                                                               const std::vector<frame_field>& fields);

/// The fields of a frame, with the names and the declarations of the variables that are in it.
[[nodiscard]] std::vector<frame_field> named_fields(std::vector<frame_field> fields, producer made_by,
                                                    const std::vector<scoped_variable>& variables);

}  // namespace tare::inspect
