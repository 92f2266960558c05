#include "sched/report.hpp"

#include <tare/error.hpp>

#include <cxxabi.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <typeinfo>

namespace tare::detail {

// NOLINTBEGIN(cppcoreguidelines-pro-type-vararg)

namespace {

void print_with_type(const char* what_happened, const std::exception& thrown) noexcept {
  int status = 0;
  const char* const name = typeid(thrown).name();
  const std::unique_ptr<char, decltype(&std::free)> readable(abi::__cxa_demangle(name, nullptr, nullptr, &status),
                                                             &std::free);
  std::fprintf(stderr, "tare: %s: %s: %s\n", what_happened, readable ? readable.get() : name, thrown.what());
}

}  // namespace

void print_exception(const char* what_happened, const std::exception_ptr& error) noexcept {
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& thrown) {
    print_with_type(what_happened, thrown);
  } catch (...) {
    std::fprintf(stderr, "tare: %s, which is not a std::exception\n", what_happened);
  }
}

// NOLINTEND(cppcoreguidelines-pro-type-vararg)

bool is_cancellation(const std::exception_ptr& error) noexcept {
  if (error == nullptr) return false;
#if defined(__GLIBCXX__)
  return *error.__cxa_exception_type() == typeid(cancelled);  // without rethrowing it, which takes a microsecond
#else
  try {
    std::rethrow_exception(error);
  } catch (const cancelled&) {
    return true;
  } catch (...) {
    return false;
  }
#endif
}

}  // namespace tare::detail
