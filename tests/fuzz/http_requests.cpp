// Any input, in pieces of any size, consists of requests that satisfy their invariants, or is refused with a status;
// the sizes of the pieces make no difference. The first byte selects the sizes.

#include "fuzz/check.hpp"
#include "http/request_reader.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace {

using fuzz::check;
using tare::http::detail::request_limits;
using tare::http::detail::request_reader;

constexpr request_limits limits{.head_bytes = 512, .fields = 16, .body_bytes = 1024};

void check_head(const request_reader& reader) {
  const auto& head = reader.head();
  check(!head.method.empty() && !head.path.empty());
  check(head.path.starts_with('/') || head.path == "*");
  check(head.minor_version <= 1);
  check(head.minor_version == 0 || head.fields.count("host") == 1);
  check(!(head.chunked && head.fields.contains("content-length")));
  for (const auto [name, value] : head.fields) {
    check(!name.empty() && name.find_first_of(" \t\r\n") == std::string_view::npos);
    check(value.find_first_of(std::string_view("\0\r\n", 3)) == std::string_view::npos);
  }
}

/// The outcome as text.
std::string read(std::string_view bytes, std::size_t piece_size) {
  request_reader reader(limits);
  std::string seen;
  bool in_body = false;
  for (std::size_t at = 0; at < bytes.size();) {
    std::string_view piece = bytes.substr(at, piece_size);
    at += piece.size();
    while (!piece.empty() || in_body) {
      const auto reached = reader.feed(piece);
      if (reached == request_reader::progress::refused) {
        check(reader.why().status >= 400 && reader.why().status <= 505 && !reader.why().why.empty());
        return seen + " refused";
      }
      check(reader.consumed() <= piece.size());
      piece.remove_prefix(reader.consumed());
      if (reached == request_reader::progress::incomplete) break;
      switch (reached) {
        case request_reader::progress::head:
          check_head(reader);
          in_body = true;
          seen += "head " + std::string(reader.head().method) + " " + std::string(reader.head().target) + "\n";
          break;
        case request_reader::progress::data:
          check(!reader.data().empty());
          seen += reader.data();
          break;
        default:
          in_body = false;
          reader.next(limits);
          seen += "end\n";
          break;
      }
    }
  }
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {  // NOLINT
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);
  const std::string whole = read(bytes, bytes.size());
  check(read(bytes, std::size_t{data[0]} + 1) == whole);
  return 0;
}
