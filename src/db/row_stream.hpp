#pragma once

#include "db/session.hpp"

#include <tare/db/detail/lease.hpp>
#include <tare/db/detail/row_block.hpp>

#include <cstdint>
#include <utility>

namespace tare::db::detail {

/// The state behind `rows`.
struct row_stream {
  row_stream() = default;
  row_stream(const row_stream&) = delete;
  row_stream& operator=(const row_stream&) = delete;
  ~row_stream() { finish(); }

  /// Reading has ended.
  void finish() noexcept {
    if (held) held->reading = false;
    held.reset();
  }

  row_block block;
  std::uint32_t next = 0;  ///< index in the block
  lease held;              ///< until the statement has ended
};

}  // namespace tare::db::detail
