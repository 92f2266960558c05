// A compressed message is decompressed piece by piece to what the whole of it gives, wherever input and output are cut.

#include "http/inflate_pieces.hpp"

#include "http/websocket/deflate.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace {

using tare::http::detail::message_codec;
using tare::http::detail::message_inflater;

/// Nothing if it is malformed.
using decompressed = std::optional<std::string>;

decompressed whole(std::string_view compressed) {
  const message_codec::admission admit = [](std::size_t /*bytes*/) { return true; };
  message_codec codec;
  std::string back;
  if (codec.decompress(compressed, 1000, back, admit) != message_codec::outcome::complete) return std::nullopt;
  return back;
}

decompressed in_pieces(std::string_view compressed, std::size_t input_bytes, std::size_t output_bytes) {
  message_inflater inflating;
  std::string all;
  for (std::string data;;) {
    tare::test::feed(inflating, compressed, input_bytes);
    const auto reached = inflating.next(data, output_bytes);
    if (reached == message_inflater::outcome::malformed) return std::nullopt;
    all += data;
    if (reached == message_inflater::outcome::last) return all;
  }
}

/// Those with a last block, which has no tail, end in different places of a byte.
std::vector<std::string> messages() {
  message_codec codec;
  return {
      std::string("\xf2\x48\xcd\xc9\xc9\x07\x00", 7),
      std::string("\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00", 11),
      std::string("\xf3\x48\xcd\xc9\xc9\x07\x00\x00", 8),
      std::string("\xf3\x48\xcd\xc9\xc9\x07\x00", 7),
      std::string("\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", 13),
      std::string("\x01\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f", 10),
      // Two last blocks, of which the second ends with the input.
      std::string("\x5b\xc9\xff\xc9\x5b\xc9\xff\xff\xff\xff\x2f\x00", 12),
      std::string(codec.compress(std::string(300, 'a'))),
      // Refers to what is not there; cut off; not a block.
      std::string("\xf2\x00\x11\x00\x00", 5),
      std::string("\xf2\x48\xcd", 3),
      std::string("\x07\x00", 2),
      {},
  };
}

TEST(inflate_pieces, give_what_the_whole_message_gives) {
  for (const std::string& message : messages()) {
    const decompressed expected = whole(message);
    const std::size_t output = expected ? expected->size() + 2 : 20;
    for (std::size_t input_bytes = 1; input_bytes <= message.size() + 1; ++input_bytes) {
      for (std::size_t output_bytes = 1; output_bytes <= output; ++output_bytes) {
        EXPECT_EQ(in_pieces(message, input_bytes, output_bytes), expected)
            << ::testing::PrintToString(message) << " in pieces of " << input_bytes << ", to pieces of "
            << output_bytes;
      }
    }
  }
}

}  // namespace
