#pragma once

#include "base/error.hpp"
#include "base/file_descriptor.hpp"

namespace tare::measure {

struct pipe_ends {
  base::file_descriptor reader;
  base::file_descriptor writer;
};

/// A pipe closed on exec, never numbered 0, 1 or 2: a program started with its standard streams closed would otherwise
/// get them there, where a child puts its own.
[[nodiscard]] base::result<pipe_ends> open_pipe();

/// Moves an open file to a number above 2, for the same reason.
[[nodiscard]] base::result<base::file_descriptor> above_standard_streams(base::file_descriptor file);

/// Makes reads from it return at once with EAGAIN when there is nothing.
[[nodiscard]] base::result<void> make_non_blocking(const base::file_descriptor& file);

}  // namespace tare::measure
