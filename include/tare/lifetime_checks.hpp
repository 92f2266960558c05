#pragma once

// With TARE_CHECK_LIFETIMES defined, clang 20 and later warn where a task would outlive what it refers to: an argument
// passed by reference, the closure of a lambda, or the object of a member function, if it is a temporary.
// The warnings are on by default.
//
//   target_compile_definitions(service PRIVATE TARE_CHECK_LIFETIMES)
//
//   tare::task<> greet(const std::string& name);
//   auto later = greet(std::string("Ada"));              // warning: the string will be destroyed
//   co_await greet(std::string("Ada"));                  // none: it lives until the await has ended
//
// A task that is passed on in the same expression, as in `spawn(greet(std::string("Ada")))`, is not checked.
//
// A function that returns a task without being a coroutine itself must then be marked, otherwise clang reports an
// error:
//
//   TARE_COROUTINE_WRAPPER inline tare::task<> greet_all() { return greet(everybody); }

#if defined(TARE_CHECK_LIFETIMES) && defined(__has_cpp_attribute)
#if __has_cpp_attribute(clang::coro_lifetimebound)
#define TARE_COROUTINE_TYPE [[clang::coro_return_type]] [[clang::coro_lifetimebound]]
#endif
#endif
#ifndef TARE_COROUTINE_TYPE
/// For a class that is the return type of coroutines.
#define TARE_COROUTINE_TYPE
#endif

#if defined(__has_cpp_attribute)
#if __has_cpp_attribute(clang::coro_wrapper)
#define TARE_COROUTINE_WRAPPER [[clang::coro_wrapper]]
#endif
#endif
#ifndef TARE_COROUTINE_WRAPPER
/// For a function that returns a task without being a coroutine.
#define TARE_COROUTINE_WRAPPER
#endif
