#pragma once

// Finds the frames in a process's memory and takes a snapshot of them. Internal to inspect/live/.

#include "inspect/live/arena.hpp"
#include "inspect/live/memory_parts.hpp"
#include "inspect/live/module_cache.hpp"
#include "inspect/live/scan.hpp"
#include "inspect/live/snapshot.hpp"
#include "inspect/memory/address_space.hpp"

#include <span>
#include <string>
#include <vector>

namespace tare::inspect {

class snapshot_taker {
 public:
  struct options {
    bool stacks = false;
    bool pools = false;
    bool rust = false;
  };
  snapshot_taker(const address_space& memory, const known_modules& known, options how)
      : memory_(memory), known_(known), options_(how) {}

  [[nodiscard]] live_snapshot take();
  /// The frames alone, by address.
  [[nodiscard]] found_frames find();

 private:
  [[nodiscard]] std::vector<arena> open_arenas(std::vector<std::string>& notes) const;
  [[nodiscard]] found_frames find(std::span<arena> arenas, std::vector<std::string>& notes) const;
  void add_rust_roots(std::span<arena> arenas, found_frames& frames, std::vector<std::string>& notes) const;

  const address_space& memory_;
  const known_modules& known_;
  options options_;
};

}  // namespace tare::inspect
