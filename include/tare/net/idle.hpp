#pragma once

// Making room when memory or descriptors are short: connections that nobody uses go first.
//
//   tare::net::expire_idle(64);       // as if their deadlines had passed

#include <cstddef>

namespace tare::net {

/// Of the current shard's streams that have a deadline (`stream::expires_after`) and are parked in `readable()`, lets
/// the ones expire whose deadlines come first: with one idle limit for all, those that have been idle longest. Their
/// waits give std::errc::timed_out. Whose bytes have come and are about to be read are not among them. Gives their
/// number. Looks at all of the shard's streams once for each 64. Needs no memory.
std::size_t expire_idle(std::size_t most) noexcept;

}  // namespace tare::net
