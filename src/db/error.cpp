#include <tare/db/error.hpp>

#include <tare/db/value_kind.hpp>

#include <utility>

namespace tare::db {

std::string_view name_of(error_kind kind) noexcept {
  switch (kind) {
    case error_kind::unavailable:
      return "unavailable";
    case error_kind::busy:
      return "busy";
    case error_kind::constraint:
      return "constraint";
    case error_kind::disk_full:
      return "disk full";
    case error_kind::syntax:
      return "syntax";
    case error_kind::data:
      return "data";
    case error_kind::denied:
      return "denied";
    case error_kind::cancelled:
      return "cancelled";
    case error_kind::protocol:
      return "protocol";
    case error_kind::other:
      break;
  }
  return "other";
}

std::string_view name_of(value_kind kind) noexcept {
  switch (kind) {
    case value_kind::integer:
      return "integer";
    case value_kind::real:
      return "real";
    case value_kind::boolean:
      return "boolean";
    case value_kind::text:
      return "text";
    case value_kind::blob:
      return "blob";
    case value_kind::null:
      break;
  }
  return "null";
}

error& error::operator=(error&&) noexcept = default;
error::~error() = default;

error::error(error_kind kind, std::string code, std::string message)
    : details_(std::make_unique<details>(kind, std::move(code), std::move(message))) {}

}  // namespace tare::db
