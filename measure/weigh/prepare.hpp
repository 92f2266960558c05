#pragma once

#include "base/error.hpp"
#include "measure/weigh/peers.hpp"

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

namespace tare::measure {

/// Builds the peer and returns its version. A build may take 15 minutes. `progress` is called with the current step,
/// such as "building".
[[nodiscard]] base::result<std::string> prepare(const peer& peer, const std::filesystem::path& root,
                                                stop_signal stop = -1,
                                                const std::function<void(std::string_view)>& progress = {});

}  // namespace tare::measure
