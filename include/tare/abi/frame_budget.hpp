#pragma once

// What `TARE_FRAME_BUDGET` writes into a program's section `.tare.budgets` for tools to read: four 32-bit numbers per
// budget, namely the distance to an address in the coroutine's code, the bytes, the line, and a hash of the file name.

#include <cstdint>

namespace tare::abi {

/// Hash (FNV-1a) of a file name without its directories, which compilers spell in more than one way. `tare frames`
/// compares it with the hashes of the files in the debug information.
constexpr std::uint32_t file_mark(const char* path) {
  std::uint32_t mark = 2166136261U;
  for (; *path != '\0'; ++path)
    mark = *path == '/' ? 2166136261U : (mark ^ static_cast<std::uint8_t>(*path)) * 16777619U;
  return mark;
}

template <std::uint32_t Number>
inline constexpr std::uint32_t constant = Number;

}  // namespace tare::abi
