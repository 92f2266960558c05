// Any input is decompressed to no more than the limit, or fails; what is compressed is the same afterwards; and any
// fields of a handshake are an offer or a response, or are not.

#include "fuzz/check.hpp"
#include "http/websocket/deflate.hpp"
#include "http/websocket/extensions.hpp"

#include <tare/http/fields.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace {

using fuzz::check;
using tare::http::fields_view;
using tare::http::detail::message_codec;

constexpr std::size_t max_bytes = 10'000;

void decompress(message_codec& codec, std::string_view input) {
  std::size_t admitted = 0;
  const auto admit = [&admitted](std::size_t bytes) {
    admitted = bytes;
    return true;
  };
  std::string first;
  const auto reached = codec.decompress(input, max_bytes, first, admit);
  check(first.size() <= max_bytes + 1 && first.size() <= admitted);
  // What came before makes no difference.
  std::string second;
  check(codec.decompress(input, max_bytes, second, admit) == reached);
  if (reached == message_codec::outcome::complete) check(first.size() <= max_bytes && first == second);
}

void compress(message_codec& codec, std::string_view input) {
  const std::string compressed(codec.compress(input));
  if (compressed.empty()) return;
  check(compressed.size() < input.size());
  std::string back;
  const auto admit = [](std::size_t /*bytes*/) { return true; };
  check(codec.decompress(compressed, input.size(), back, admit) == message_codec::outcome::complete && back == input);
}

void negotiate(std::string_view input) {
  const std::string lines = "sec-websocket-extensions: " + std::string(input) + "\r\n";
  const fields_view fields(lines);
  if (const auto accepted = tare::http::detail::accept_deflate(fields))
    check(accepted->starts_with("permessage-deflate"));
  (void)tare::http::detail::is_deflate_accepted(fields);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {  // NOLINT
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  static message_codec codec;
  decompress(codec, input);
  compress(codec, input);
  negotiate(input);
  return 0;
}
