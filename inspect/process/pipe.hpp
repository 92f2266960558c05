#pragma once

#include "inspect/error.hpp"
#include "inspect/file_descriptor.hpp"

namespace tare::inspect {

struct pipe_ends {
  file_descriptor reader;
  file_descriptor writer;
};

/// A pipe closed on exec, never numbered 0, 1 or 2: a program started with its standard streams closed would otherwise
/// get them there, where a child puts its own.
[[nodiscard]] result<pipe_ends> open_pipe();

/// Moves an open file to a number above 2, for the same reason.
[[nodiscard]] result<file_descriptor> above_standard_streams(file_descriptor file);

/// Makes reads from it return at once with EAGAIN when there is nothing.
[[nodiscard]] result<void> make_non_blocking(const file_descriptor& file);

}  // namespace tare::inspect
