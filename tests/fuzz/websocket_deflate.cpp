// Any input is decompressed to no more than the limit, or fails; what is compressed is the same afterwards; and any
// fields of a handshake are an offer or a response, or are not.

#include "fuzz/check.hpp"
#include "http/inflate_pieces.hpp"
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
using tare::http::detail::message_deflater;
using tare::http::detail::message_inflater;

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

/// The message that the compressed pieces make, or nothing.
std::optional<std::string> in_pieces(std::string_view input, std::size_t piece_bytes, std::size_t output_bytes) {
  message_inflater inflating;
  std::string whole;
  std::string data;
  for (;;) {
    tare::test::feed(inflating, input, piece_bytes);
    const auto reached = inflating.next(data, output_bytes);
    if (reached == message_inflater::outcome::malformed) return std::nullopt;
    check(data.size() <= output_bytes);
    whole += data;
    if (reached == message_inflater::outcome::last) return whole;
    if (whole.size() > max_bytes) return whole;
  }
}

void decompress_in_pieces(message_codec& codec, std::string_view input) {
  const auto admit = [](std::size_t /*bytes*/) { return true; };
  std::string whole;
  const auto reached = codec.decompress(input, max_bytes, whole, admit);
  for (const std::size_t piece_bytes : {std::size_t{1}, std::size_t{7}, input.size() + 1}) {
    const auto got = in_pieces(input, piece_bytes, piece_bytes == 7 ? 3 : 1000);
    if (reached == message_codec::outcome::complete) check(got && *got == whole);
    if (reached == message_codec::outcome::malformed) check(!got || got->size() > max_bytes);
    if (reached == message_codec::outcome::too_large) check(!got || got->size() > max_bytes);
  }
}

void compress_in_pieces(message_codec& codec, std::string_view input) {
  for (const std::size_t piece_bytes : {std::size_t{1}, std::size_t{100}}) {
    message_deflater deflating;
    std::string compressed;
    for (std::string_view left = input; !left.empty();) {
      const std::string_view piece = left.substr(0, piece_bytes);
      left.remove_prefix(piece.size());
      deflating.compress(piece, left.empty() && piece_bytes == 1, compressed);
    }
    if (piece_bytes != 1) deflating.compress({}, true, compressed);
    if (input.empty()) continue;  // a message of nothing is sent whole
    std::string back;
    const auto admit = [](std::size_t /*bytes*/) { return true; };
    check(codec.decompress(compressed, input.size(), back, admit) == message_codec::outcome::complete && back == input);
  }
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
  decompress_in_pieces(codec, input);
  compress_in_pieces(codec, input);
  negotiate(input);
  return 0;
}
