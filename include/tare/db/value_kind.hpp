#pragma once

// The kind of a value in a row or a bound parameter.

#include <cstdint>
#include <string_view>

namespace tare::db {

/// SQLite has no booleans; it uses integers. PostgreSQL's other types (numeric, dates, JSON ...) are returned as the
/// text that psql would show.
enum class value_kind : std::uint8_t { null, integer, real, boolean, text, blob };

/// The name of the enumerator: "null", "integer" ...
[[nodiscard]] std::string_view name_of(value_kind kind) noexcept;

}  // namespace tare::db
