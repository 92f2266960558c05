#pragma once

// Making room when memory or descriptors run short: closes idle connections first.
//
//   tare::net::expire_idle(64);       // as if their deadlines had passed

#include <cstddef>

namespace tare::net {

/// Expires up to `most` of the current shard's streams that have a deadline (`stream::expires_after`) and are parked in
/// `readable()`, earliest deadline first: if all have the same idle limit, those that have been idle longest. Their
/// waits return std::errc::timed_out. Streams with bytes waiting to be read are left alone. Returns the number of
/// expired streams. Scans all streams of the shard once per 64.
///
/// **Errors** None. **Cancellation** Does not wait. **Threads** Tasks of the shard. **Bytes** None: it allocates no
/// memory.
std::size_t expire_idle(std::size_t most) noexcept;

}  // namespace tare::net
