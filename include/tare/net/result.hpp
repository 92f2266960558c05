#pragma once

// The result of operations on the outside world: a value, or the error that the system reported.
//
//   auto client = co_await listener.accept();
//   if (!client) log(client.error().message());

#include <expected>
#include <system_error>

namespace tare::net {

/// Errors are of std::generic_category or std::system_category, except for those of name resolution and TLS, which have
/// their own categories. An operation whose stream was closed meanwhile returns std::errc::operation_canceled; one
/// whose deadline has passed returns std::errc::timed_out.
template <class T>
using result = std::expected<T, std::error_code>;

}  // namespace tare::net
