#pragma once

// The symbols of the functions into which a coroutine was split. Internal to inspect/.

#include "inspect/facts/coroutine.hpp"

#include <cstdint>
#include <optional>
#include <string_view>

namespace tare::inspect {

enum class function_role : std::uint8_t {
  ramp,     ///< what the caller calls: allocates the frame and fills it
  resume,   ///< g++: the actor, which destroys as well
  destroy,  ///< destroys a suspended coroutine and frees its frame
  cleanup,  ///< the same without freeing, for a frame that was merged into its caller's
};

/// The symbol without the suffixes that compilers and linkers append to copies and parts of a function: ".lto_priv.0",
/// ".llvm.123", ".cold", ".part.0", ".constprop.0.isra.0", ".7".
[[nodiscard]] std::string_view without_clone_suffixes(std::string_view symbol);

struct part_symbol {
  std::string_view coroutine;  ///< its linkage name
  function_role role = function_role::resume;
  producer made_by = producer::clang;
  bool whole = true;  ///< false for a separate part: ".cold", ".part.0"
};

/// "f.resume", "f.destroy" and "f.cleanup" of clang; "...f.Frame.actor" and "...f.Frame.destroy" of g++. Nothing for
/// other functions, ramps among them.
[[nodiscard]] std::optional<part_symbol> part_symbol_of(std::string_view symbol);

/// The symbol's coroutine, if it is the whole function that resumes one.
[[nodiscard]] std::optional<part_symbol> body_of(std::string_view symbol);

}  // namespace tare::inspect
