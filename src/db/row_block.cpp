#include <tare/db/detail/row_block.hpp>

#include <limits>
#include <stdexcept>
#include <utility>

namespace tare::db::detail {

void row_block::begin(std::shared_ptr<const column_names> names) {
  clear();
  names_ = std::move(names);
}

const column_names& row_block::names() const noexcept {
  static const column_names none;
  return names_ == nullptr ? none : *names_;
}

void row_block::clear() noexcept {
  cells_ = {};
  heap_ = {};
  empty_rows_ = 0;
}

void row_block::add_integer(std::int64_t value) {
  cell& added = cells_.emplace_back();
  added.kind = value_kind::integer;
  added.integer = value;
}

void row_block::add_real(double value) {
  cell& added = cells_.emplace_back();
  added.kind = value_kind::real;
  added.real = value;
}

void row_block::add_boolean(bool value) {
  cell& added = cells_.emplace_back();
  added.kind = value_kind::boolean;
  added.boolean = value;
}

void row_block::add_bytes(value_kind kind, std::string_view value) {
  if (value.size() > std::numeric_limits<std::uint32_t>::max())
    throw std::length_error("tare::db: a value of 4 GiB or more");
  cell& added = cells_.emplace_back();
  added.kind = kind;
  added.size = static_cast<std::uint32_t>(value.size());
  added.offset = heap_.size();
  heap_.append(value);
  heap_.push_back('\0');
}

}  // namespace tare::db::detail
