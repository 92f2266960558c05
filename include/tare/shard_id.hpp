#pragma once

namespace tare {

/// Index of a shard in its runtime, from 0.
using shard_id = unsigned;

}  // namespace tare
