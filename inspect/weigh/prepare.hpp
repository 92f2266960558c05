#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "inspect/error.hpp"
#include "inspect/weigh/peers.hpp"

namespace tare::inspect {

/// Builds the peer and finds out its version, which is returned. A build has 15 minutes. `progress` is told what is
/// being done, such as "building".
[[nodiscard]] result<std::string> prepare(const peer& one, const std::filesystem::path& root, stop_signal stop = -1,
                                          const std::function<void(std::string_view)>& progress = {});

}  // namespace tare::inspect
