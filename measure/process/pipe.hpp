#pragma once

#include "base/error.hpp"
#include "base/file_descriptor.hpp"

namespace tare::measure {

struct pipe_ends {
  base::file_descriptor reader;
  base::file_descriptor writer;
};

/// A pipe closed on exec, never numbered 0, 1 or 2: otherwise a program started with closed standard streams would get
/// these numbers, which a child uses for its own streams.
[[nodiscard]] base::result<pipe_ends> open_pipe();

/// Moves an open file to a number above 2, for the same reason.
[[nodiscard]] base::result<base::file_descriptor> above_standard_streams(base::file_descriptor file);

/// Makes reads return immediately with EAGAIN if there is no data.
[[nodiscard]] base::result<void> make_non_blocking(const base::file_descriptor& file);

}  // namespace tare::measure
