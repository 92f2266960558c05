// Any input, in pieces of any size, consists of responses that satisfy their invariants, or is an error; the sizes of
// the pieces make no difference. The first byte selects the sizes, and whether the request was HEAD.

#include "fuzz/check.hpp"
#include "http/response_reader.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace {

using fuzz::check;
using tare::http::detail::response_limits;
using tare::http::detail::response_reader;

std::string read(std::string_view bytes, std::size_t piece_size, std::string_view method) {
  response_reader reader({.head_bytes = 512, .fields = 16});
  reader.next(method);
  std::string seen;
  bool in_body = false;
  for (std::size_t at = 0; at < bytes.size();) {
    std::string_view piece = bytes.substr(at, piece_size);
    at += piece.size();
    while (!piece.empty() || in_body) {
      const auto reached = reader.feed(piece);
      if (reached == response_reader::progress::failed) return seen + " failed";
      check(reader.consumed() <= piece.size());
      piece.remove_prefix(reader.consumed());
      if (reached == response_reader::progress::incomplete) break;
      switch (reached) {
        case response_reader::progress::head:
          check(reader.status() >= 100 && reader.status() <= 599);
          check(method != "HEAD" || !reader.has_body());
          for (const auto field : reader.fields()) check(!field.name.empty());
          in_body = true;
          seen += "head " + std::to_string(reader.status()) + "\n";
          break;
        case response_reader::progress::data:
          check(!reader.data().empty());
          seen += reader.data();
          break;
        default:
          seen += "end\n";
          in_body = false;
          if (!reader.keep_alive()) return seen;
          reader.next(method);
          break;
      }
    }
  }
  if (in_body || reader.under_way()) {
    seen += reader.end_of_stream() == response_reader::progress::complete ? "end" : " truncated";
  }
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {  // NOLINT
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);
  const std::string_view method = (data[0] & 0x80U) != 0 ? "HEAD" : "GET";
  check(read(bytes, (data[0] & 0x7FU) + 1U, method) == read(bytes, bytes.size(), method));
  return 0;
}
