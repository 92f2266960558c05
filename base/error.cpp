#include "base/error.hpp"

#include <fmt/format.h>

#include <system_error>

namespace tare::base {

std::unexpected<error> system_error(std::string_view what, int number) {
  return std::unexpected(error{fault::system, fmt::format("{}: {}", what, std::generic_category().message(number))});
}

}  // namespace tare::base
