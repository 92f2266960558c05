#pragma once

// Memory layout of values, both bound and of rows: a cell of 16 bytes each, followed by one heap with the bytes of
// texts and blobs.

#include <tare/db/value_kind.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace tare::db::detail {

struct cell {
  value_kind kind = value_kind::null;
  std::uint32_t size = 0;  ///< of the text or blob
  union {
    std::int64_t integer = 0;
    double real;
    bool boolean;
    std::size_t offset;  ///< of the text or blob in the heap
  };
};
static_assert(sizeof(cell) == 16);

/// A cell, and the heap that it refers to.
class value_view {
 public:
  value_view(const cell& of, const char* heap) noexcept : cell_(&of), heap_(heap) {}

  [[nodiscard]] value_kind kind() const noexcept { return cell_->kind; }
  [[nodiscard]] std::int64_t integer() const noexcept { return cell_->integer; }
  [[nodiscard]] double real() const noexcept { return cell_->real; }
  [[nodiscard]] bool boolean() const noexcept { return cell_->boolean; }
  /// For a text or blob. A NUL follows its last character.
  [[nodiscard]] std::string_view text() const noexcept { return {heap_ + cell_->offset, cell_->size}; }
  [[nodiscard]] std::span<const std::byte> blob() const noexcept {
    return std::as_bytes(std::span(heap_ + cell_->offset, cell_->size));
  }

 private:
  const cell* cell_;
  const char* heap_;
};

}  // namespace tare::db::detail
