#pragma once

#include "base/error.hpp"
#include "measure/process/process.hpp"
#include "measure/process/process_exit.hpp"
#include "measure/process/tail.hpp"

#include <functional>
#include <optional>
#include <string_view>

namespace tare::measure {

/// A file descriptor that becomes readable when the caller wants to stop, or -1. It is only polled.
using stop_signal = int;

/// The result of listening to a process.
struct heard {
  bool enough = false;                ///< the listener had what it wanted
  std::optional<process_exit> ended;  ///< the process has ended
  bool output_closed = false;         ///< its standard output has ended
  tail errors;                        ///< the end of what it wrote to standard error
};

/// Reads what the process writes to its standard output and error until `enough(bytes)` returns true for a piece of the
/// output, the process ends, or the deadline passes; in the last case both `enough` and `ended` of the result are
/// unset.
///
/// When the process ends, the rest of the pipes is read too. Fails with base::fault::interrupted if told to stop.
[[nodiscard]] base::result<heard> listen(const process& speaker, process::clock::time_point deadline, stop_signal stop,
                                         const std::function<bool(std::string_view)>& enough);

}  // namespace tare::measure
