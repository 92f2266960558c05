#pragma once

// What `TARE_FRAME_BUDGET` puts into a program's section `.tare.budgets`, and tools read from there: four 32-bit
// numbers for each budget, the distance to a place in the coroutine's code, the bytes, the line, and a mark for the
// file.

#include <cstdint>

namespace tare::abi {

/// Tells files apart by their names without folders, which compilers spell in more than one way (FNV-1a). `tare frames`
/// compares it with that of the files in the debug information.
constexpr std::uint32_t file_mark(const char* path) {
  std::uint32_t mark = 2166136261U;
  for (; *path != '\0'; ++path)
    mark = *path == '/' ? 2166136261U : (mark ^ static_cast<std::uint8_t>(*path)) * 16777619U;
  return mark;
}

template <std::uint32_t Number>
inline constexpr std::uint32_t constant = Number;

}  // namespace tare::abi
