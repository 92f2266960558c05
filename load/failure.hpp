#pragma once

#include <string>

namespace tare::load {

/// Why an exchange failed, as text for the user.
using failure = std::string;

}  // namespace tare::load
