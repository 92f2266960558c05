#pragma once

// What a value in a row or a bound parameter is.

#include <cstdint>
#include <string_view>

namespace tare::db {

/// SQLite has no booleans: they are integers there. What PostgreSQL has beyond these (numeric, dates, JSON ...) comes
/// as the text that psql would show.
enum class value_kind : std::uint8_t { null, integer, real, boolean, text, blob };

/// "null", "integer" ...
[[nodiscard]] std::string_view name_of(value_kind kind) noexcept;

}  // namespace tare::db
