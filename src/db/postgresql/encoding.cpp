#include "db/postgresql/encoding.hpp"

#include "db/postgresql/handles.hpp"

#include <charconv>
#include <climits>
#include <cstdint>
#include <limits>
#include <new>
#include <span>
#include <string_view>

namespace tare::db::detail {

namespace {

// Type numbers in the server's catalog (src/include/catalog/pg_type.dat in PostgreSQL; they never change).
enum type_number : Oid {
  bool_type = 16,
  bytea_type = 17,
  int8_type = 20,
  int2_type = 21,
  int4_type = 23,
  oid_type = 26,
  float4_type = 700,
  float8_type = 701,
};

// The longest number: "-2.2250738585072014e-308", and its NUL.
constexpr std::size_t number_bytes = 32;

template <class T>
T parse(std::string_view text) {
  T value{};
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

double parse_real(std::string_view text) {
  if (text == "Infinity") return std::numeric_limits<double>::infinity();
  if (text == "-Infinity") return -std::numeric_limits<double>::infinity();
  if (text == "NaN") return std::numeric_limits<double>::quiet_NaN();
  return parse<double>(text);
}

void decode_blob(std::string_view text, row_block& into) {
  std::size_t size = 0;
  const auto* escaped = reinterpret_cast<const unsigned char*>(text.data());
  unsigned char* bytes = PQunescapeBytea(escaped, &size);
  if (bytes == nullptr) throw std::bad_alloc();
  const std::unique_ptr<unsigned char, decltype(&PQfreemem)> owned(bytes, &PQfreemem);
  into.add_blob(std::as_bytes(std::span(bytes, size)));
}

}  // namespace

void encoded_parameters::assign(const parameters& bound) {
  values_.clear();
  lengths_.clear();
  formats_.clear();
  // Enough for all values, so that nothing moves.
  numbers_.resize(bound.size() * number_bytes);
  for (std::size_t i = 0; i < bound.size(); ++i) {
    const value_view value = bound[i];
    char* number = numbers_.data() + i * number_bytes;
    const char* text = number;
    int length = 0;
    int format = 0;
    switch (value.kind()) {
      case value_kind::null:
        text = nullptr;
        break;
      case value_kind::integer:
        *std::to_chars(number, number + number_bytes - 1, value.integer()).ptr = '\0';
        break;
      case value_kind::real:
        *std::to_chars(number, number + number_bytes - 1, value.real()).ptr = '\0';
        break;
      case value_kind::boolean:
        text = value.boolean() ? "t" : "f";
        break;
      case value_kind::text:
        text = value.text().data();
        break;
      case value_kind::blob:
        text = value.text().data();
        length = static_cast<int>(value.text().size());
        format = 1;
        break;
    }
    values_.push_back(text);
    lengths_.push_back(length);
    formats_.push_back(format);
  }
}

std::optional<error> refuse(const parameters& bound) {
  if (bound.size() > UINT16_MAX) return error(error_kind::syntax, "", "PostgreSQL accepts at most 65,535 parameters");
  for (std::size_t i = 0; i < bound.size(); ++i) {
    const value_view value = bound[i];
    if (value.kind() == value_kind::text && value.text().find('\0') != std::string_view::npos) {
      return error(error_kind::data, "22021",
                   "a text with a NUL in it cannot be stored by PostgreSQL: bind it as a blob");
    }
    if ((value.kind() == value_kind::text || value.kind() == value_kind::blob) && value.text().size() > INT_MAX / 2) {
      return error(error_kind::data, "54000", "PostgreSQL does not accept values of 1 GiB or more");
    }
  }
  return std::nullopt;
}

void decode_row(const PGresult& from, int row, row_block& into) {
  const int columns = PQnfields(&from);
  if (columns == 0) into.add_empty_row();
  for (int column = 0; column < columns; ++column) {
    if (PQgetisnull(&from, row, column) != 0) {
      into.add_null();
      continue;
    }
    const std::string_view text(PQgetvalue(&from, row, column),
                                static_cast<std::size_t>(PQgetlength(&from, row, column)));
    switch (PQftype(&from, column)) {
      case bool_type:
        into.add_boolean(text == "t");
        break;
      case int2_type:
      case int4_type:
      case int8_type:
      case oid_type:
        into.add_integer(parse<std::int64_t>(text));
        break;
      case float4_type:
      case float8_type:
        into.add_real(parse_real(text));
        break;
      case bytea_type:
        decode_blob(text, into);
        break;
      default:
        into.add_text(text);
    }
  }
}

}  // namespace tare::db::detail
