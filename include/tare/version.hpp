#pragma once

// The version of the library, as macros and as a constant. The build reads it from here.

#include <string_view>

#define TARE_VERSION_MAJOR 0
#define TARE_VERSION_MINOR 1
#define TARE_VERSION_PATCH 0

namespace tare {

/// "major.minor.patch" of the headers that the program was compiled with.
inline constexpr std::string_view version = "0.1.0";

}  // namespace tare
