#pragma once

#include "measure/weigh/weigh.hpp"

#include <nlohmann/json_fwd.hpp>

namespace tare::measure {

/// What was read of one sample, as `tare weigh --json` and the results of a race write it.
[[nodiscard]] nlohmann::ordered_json figures_of(const sample& point);

}  // namespace tare::measure
