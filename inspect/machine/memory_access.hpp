#pragma once

// A memory access of an instruction.

#include "inspect/machine/value.hpp"

#include <cstdint>
#include <functional>
#include <vector>

namespace tare::inspect {

/// A memory access at a known distance from a base.
struct memory_access {
  enum class kind : std::uint8_t {
    read,
    write,
    passed,  ///< its address was passed where it cannot be followed: to a call, or into other memory
  };
  kind what = kind::read;
  origin base = 0;
  std::int64_t offset = 0;
  std::uint64_t bytes = 0;          ///< 0: up to the end of the object
  bool whole = true;                ///< whether exactly these bytes are accessed; false if an index is added
  bool indexed = false;             ///< an unknown index is added: anywhere from about this offset on
  std::uint64_t instruction = 0;    ///< its address
  std::vector<constant> written{};  ///< the value that a write stores, if it is one of a few constants
  origin into = 0;                  ///< where an address was stored, if it was passed by storing it
  std::int64_t into_offset = 0;
};

using access_sink = std::function<void(const memory_access&)>;

}  // namespace tare::inspect
