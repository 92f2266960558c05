#pragma once

// A use of memory by an instruction.

#include "inspect/machine/value.hpp"

#include <cstdint>
#include <functional>
#include <vector>

namespace tare::inspect {

/// A use of memory at a known distance from something.
struct memory_access {
  enum class kind : std::uint8_t {
    read,
    write,
    passed,  ///< its address went to where it cannot be followed: into a call, or into other memory
  };
  kind what = kind::read;
  origin base = 0;
  std::int64_t offset = 0;
  std::uint64_t bytes = 0;          ///< 0: from there to the end of whatever it is
  bool whole = true;                ///< whether exactly these bytes are touched; false where an index is added
  bool indexed = false;             ///< an index that is not known is added: somewhere from about there on
  std::uint64_t instruction = 0;    ///< its address
  std::vector<constant> written{};  ///< what a write writes, if that is one of a few constants
  origin into = 0;                  ///< where an address that was passed by storing it was stored
  std::int64_t into_offset = 0;
};

using access_sink = std::function<void(const memory_access&)>;

}  // namespace tare::inspect
