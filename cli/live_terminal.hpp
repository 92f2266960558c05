#pragma once

#include "base/error.hpp"
#include "cli/stop_request.hpp"
#include "inspect/live/snapshot.hpp"

#include <chrono>
#include <functional>

namespace tare::cli {

/// Shows a snapshot per interval on the terminal until 'q' is pressed; keys may change the interval. The terminal is
/// restored before it returns. The error is that of `take`, for example when the process has ended; `interrupted` after
/// a signal; or that standard input or output is not a terminal, or one of an unknown type.
[[nodiscard]] base::result<void> watch_live(const std::function<base::result<inspect::live_snapshot>()>& take,
                                            std::chrono::milliseconds interval, const stop_request& stop);

}  // namespace tare::cli
