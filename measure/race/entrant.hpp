#pragma once

// What every race does with a peer before it measures it.

#include "measure/process/listen.hpp"
#include "measure/race/race.hpp"
#include "measure/race/results.hpp"
#include "measure/weigh/peers.hpp"

#include <filesystem>
#include <string>

namespace tare::measure {

/// Whether a descriptor that tells to stop has become readable.
[[nodiscard]] bool told_to_stop(stop_signal stop);

/// Checks what the peer needs, builds it, and asks for its version. `absent` or `failed` of the result says why it
/// cannot run; the listener has then been told.
[[nodiscard]] race_peer prepare_entrant(const peer& peer, const std::filesystem::path& root,
                                        const race_listener& listener, stop_signal stop);

/// Results without entries: the date, the machine, and the commit of the source tree, if `root` is in a git checkout.
[[nodiscard]] race_results results_of_today(const std::filesystem::path& root, stop_signal stop);

}  // namespace tare::measure
