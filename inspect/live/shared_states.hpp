#pragma once

// Objects outside of frames that lead to a frame: what several coroutines share that are awaited at once. Internal to
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
  address_range bytes;                        ///< of the object, as far as they are looked at
  std::uint32_t frame = frame_extents::none;  ///< the only one whose beginning is among its words
};

class shared_states {
 public:
  shared_states(const address_space& memory, const frame_extents& extents) : memory_(memory), extents_(extents) {}

  /// The object around an address outside of all frames, which may be a little behind its reference counts. Of other
  /// memory than malloc's its bounds are not known: then it is what lies near the address. Empty for an address that
  /// cannot be one, and for new ones after many.
  [[nodiscard]] const shared_state* at(std::uint64_t address);

 private:
  [[nodiscard]] std::uint64_t word_at(std::uint64_t address) const;
  /// glibc writes the size of an object in front of it, and that of the next one behind it.
  [[nodiscard]] std::optional<address_range> object_of_malloc(std::uint64_t address) const;

  const address_space& memory_;
  const frame_extents& extents_;
  std::unordered_map<std::uint64_t, shared_state> known_;
  std::vector<std::byte> content_;
};

}  // namespace tare::inspect
