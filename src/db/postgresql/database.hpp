#pragma once

#include "db/session.hpp"

#include <tare/db/pool.hpp>

#include <memory>
#include <string_view>

namespace tare::db::detail {

/// An error if the URI cannot be read. Does not connect.
[[nodiscard]] result<std::unique_ptr<database>> make_postgresql(std::string_view uri, const pool_options& options);

}  // namespace tare::db::detail
