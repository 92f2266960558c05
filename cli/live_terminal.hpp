#pragma once

#include "base/error.hpp"
#include "cli/stop_request.hpp"
#include "inspect/live/snapshot.hpp"

#include <chrono>
#include <functional>

namespace tare::cli {

/// Shows snapshots on the terminal until 'q' is pressed, one after each interval, which keys may change. The terminal
/// is as before when it returns. The error is that of `take`, as when the process has ended; or `interrupted` when a
/// signal has come; or that standard input and output are no terminal, or one that is not known.
[[nodiscard]] base::result<void> watch_live(const std::function<base::result<inspect::live_snapshot>()>& take,
                                            std::chrono::milliseconds interval, const stop_request& stop);

}  // namespace tare::cli
