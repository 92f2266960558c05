#pragma once

// What reading a JSON body needs from the library, which does not use nlohmann's.

#include <tare/http/parameters.hpp>

#include <optional>
#include <string_view>
#include <system_error>

namespace tare::http::detail {

/// Whether a Content-Type, which may be absent, allows JSON: "application/json", "application/problem+json".
[[nodiscard]] bool is_json_type(std::optional<std::string_view> content_type) noexcept;
/// For a body that could not be read.
[[nodiscard]] request_error unreadable_body(std::error_code why);

}  // namespace tare::http::detail
