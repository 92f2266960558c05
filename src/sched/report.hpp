#pragma once

// Prints an unhandled exception to standard error.

#include <exception>

namespace tare::detail {

/// Prints "tare: WHAT_HAPPENED: TYPE: MESSAGE".
void print_exception(const char* what_happened, const std::exception_ptr& error) noexcept;

}  // namespace tare::detail
