#pragma once

// Objects outside frames that point to a frame: the shared state of coroutines that are awaited together. Internal to
// inspect/live/.

#include "inspect/live/frame_extents.hpp"
#include "inspect/memory/address_space.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

namespace tare::inspect {

struct shared_state {
  address_range bytes;                        ///< the examined part of the object
  std::uint32_t frame = frame_extents::none;  ///< the only frame to whose beginning it points
};

class shared_states {
 public:
  shared_states(const address_space& memory, const frame_extents& extents) : memory_(memory), extents_(extents) {}

  /// The object around an address outside all frames, which may follow the object's reference counts. Outside malloc's
  /// memory the bounds of the object are not known: then it is the memory near the address. Empty for an impossible
  /// address, and for new addresses once the maximum is reached.
  [[nodiscard]] const shared_state* at(std::uint64_t address);

 private:
  [[nodiscard]] std::uint64_t word_at(std::uint64_t address) const;
  /// glibc stores the size of an object before it, and the size of the next one after it.
  [[nodiscard]] std::optional<address_range> object_of_malloc(std::uint64_t address) const;

  const address_space& memory_;
  const frame_extents& extents_;
  std::unordered_map<std::uint64_t, shared_state> known_;
  std::vector<std::byte> content_;
};

}  // namespace tare::inspect
