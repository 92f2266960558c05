#pragma once

// Values in libpq's format: texts with a terminating NUL, blobs unchanged.

#include <tare/db/detail/row_block.hpp>
#include <tare/db/error.hpp>
#include <tare/db/parameters.hpp>

#include <libpq-fe.h>

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace tare::db::detail {

/// The arrays for PQsendQueryPrepared; reused for every statement.
class encoded_parameters {
 public:
  /// They point into `bound`.
  void assign(const parameters& bound);

  [[nodiscard]] int count() const noexcept { return static_cast<int>(values_.size()); }
  [[nodiscard]] const char* const* values() const noexcept { return values_.data(); }
  [[nodiscard]] const int* lengths() const noexcept { return lengths_.data(); }
  [[nodiscard]] const int* formats() const noexcept { return formats_.data(); }

 private:
  std::vector<const char*> values_;
  std::vector<int> lengths_;
  std::vector<int> formats_;
  std::string numbers_;
};

/// Why the values cannot be sent.
[[nodiscard]] std::optional<error> refuse(const parameters& bound);

/// Adds one row of `from`, whose values are text.
void decode_row(const PGresult& from, int row, row_block& into);

}  // namespace tare::db::detail
