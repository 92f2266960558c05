#include "http/websocket/frame.hpp"

#include "http/websocket_frames.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace {

using tare::http::detail::accept_key;
using tare::http::detail::frame_head;
using tare::http::detail::frame_reader;
using tare::http::detail::opcode;
using tare::http::detail::utf8_check;
using tare::test::masked_frame;
using progress = frame_reader::progress;
using role = frame_reader::role;

std::vector<std::byte> bytes_of(std::string_view text) {
  std::vector<std::byte> bytes;
  for (const char c : text) bytes.push_back(static_cast<std::byte>(c));
  return bytes;
}

/// What a reader returns for the frames when they arrive in pieces of this size.
std::vector<std::string> read(std::string_view frames, std::size_t piece = SIZE_MAX, role as = role::server) {
  std::vector<std::string> seen;
  frame_reader reader(as, 70'000);
  std::vector<std::byte> bytes = bytes_of(frames);
  std::span<std::byte> rest = bytes;
  while (!rest.empty()) {
    std::span<std::byte> now = rest.first(std::min(piece, rest.size()));
    rest = rest.subspan(now.size());
    while (!now.empty()) {
      const progress reached = reader.feed(now);
      now = now.subspan(reader.consumed());
      switch (reached) {
        case progress::incomplete:
          break;
        case progress::message: {
          const std::string kind = reader.is_text() ? "text " : "binary ";
          seen.push_back(kind + reader.take_message());
          break;
        }
        case progress::ping:
          seen.push_back("ping " + std::string(reader.control()));
          break;
        case progress::pong:
          seen.push_back("pong " + std::string(reader.control()));
          break;
        case progress::close:
          seen.push_back("close " + std::to_string(reader.code()) + " " + std::string(reader.control()));
          return seen;
        case progress::failed:
          seen.push_back("failed " + std::to_string(static_cast<unsigned>(reader.failure())));
          return seen;
      }
    }
  }
  return seen;
}

using strings = std::vector<std::string>;

TEST(frame_reader, reads_the_examples_of_the_rfc) {
  // RFC 6455, section 5.7.
  EXPECT_EQ(read("\x81\x05Hello", SIZE_MAX, role::client), (strings{"text Hello"}));
  EXPECT_EQ(read("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"), (strings{"text Hello"}));
  EXPECT_EQ(read(std::string("\x01\x03Hel\x80\x02lo", 9), SIZE_MAX, role::client), (strings{"text Hello"}));
  EXPECT_EQ(read("\x89\x05Hello", SIZE_MAX, role::client), (strings{"ping Hello"}));
  EXPECT_EQ(read("\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"), (strings{"pong Hello"}));
}

TEST(frame_reader, reads_lengths_of_all_sizes_in_pieces_of_all_sizes) {
  for (const std::size_t size : {0UL, 1UL, 3UL, 4UL, 125UL, 126UL, 127UL, 65535UL, 65536UL, 70000UL}) {
    std::string payload;
    for (std::size_t i = 0; i < size; ++i) payload += static_cast<char>('a' + i % 26);
    const strings expected{"binary " + payload, "text end"};
    for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, std::size_t{4096}, SIZE_MAX}) {
      EXPECT_EQ(read(masked_frame(0x82, payload) + masked_frame(0x81, "end"), piece), expected)
          << size << " by " << piece;
    }
  }
}

TEST(frame_reader, controls_may_stand_between_fragments) {
  const std::string frames = masked_frame(0x01, "one ") + masked_frame(0x89, "p") + masked_frame(0x00, "two ") +
                             masked_frame(0x8A, "") + masked_frame(0x80, "three") +
                             masked_frame(0x88,
                                          "\x03\xe8"
                                          "bye");
  EXPECT_EQ(read(frames), (strings{"ping p", "pong ", "text one two three", "close 1000 bye"}));
  EXPECT_EQ(read(frames, 1), read(frames));
}

TEST(frame_reader, refuses_what_breaks_the_protocol) {
  const strings failed{"failed 1002"};
  EXPECT_EQ(read("\x81\x05Hello"), failed) << "not masked";
  EXPECT_EQ(read(masked_frame(0x81, "a"), SIZE_MAX, role::client), failed) << "masked by a server";
  EXPECT_EQ(read(masked_frame(0xC1, "a")), failed) << "a reserved bit";
  EXPECT_EQ(read(masked_frame(0x83, "a")), failed) << "a reserved opcode";
  EXPECT_EQ(read(masked_frame(0x8B, "a")), failed) << "a reserved control opcode";
  EXPECT_EQ(read(masked_frame(0x80, "a")), failed) << "continues nothing";
  EXPECT_EQ(read(masked_frame(0x01, "a") + masked_frame(0x81, "b")), failed) << "a message within a message";
  EXPECT_EQ(read(masked_frame(0x09, "a")), failed) << "a fragmented ping";
  EXPECT_EQ(read(masked_frame(0x89, std::string(126, 'a'))), failed) << "a long ping";
  EXPECT_EQ(read(masked_frame(0x88, "a")), failed) << "half a code";
  for (const char* code : {"\x03\xe7", "\x03\xec", "\x03\xed", "\x03\xee", "\x03\xf7", "\x07\xd0", "\x13\x88"}) {
    EXPECT_EQ(read(masked_frame(0x88, code)), failed) << "a code that no peer may send";
  }
  EXPECT_EQ(read(std::string("\x82\xfe\x00\x05\x01\x02\x03\x04", 8)), failed) << "16 bits for 5";
  EXPECT_EQ(read(std::string("\x82\xff\x00\x00\x00\x00\x00\x00\xff\xff\x01\x02\x03\x04", 14)), failed)
      << "64 bits for 65535";
  EXPECT_EQ(read(std::string("\x82\xff\x80\x00\x00\x00\x00\x00\x00\x00\x01\x02\x03\x04", 14)), failed)
      << "the highest bit";
}

TEST(frame_reader, limits_messages_over_all_their_fragments) {
  EXPECT_EQ(read(masked_frame(0x82, std::string(70'001, 'a'))), (strings{"failed 1009"}));
  EXPECT_EQ(read(masked_frame(0x02, std::string(60'000, 'a')) + masked_frame(0x80, std::string(10'001, 'a'))),
            (strings{"failed 1009"}));
}

TEST(frame_reader, texts_are_utf8) {
  EXPECT_EQ(read(masked_frame(0x81, "gr\xC3\xBC\xC3\x9F")), (strings{"text gr\xC3\xBC\xC3\x9F"}));
  EXPECT_EQ(read(masked_frame(0x01, "\xE2\x82") + masked_frame(0x80, "\xAC")), (strings{"text \xE2\x82\xAC"}))
      << "split within a character";
  EXPECT_EQ(read(masked_frame(0x81, "\xE2\x82")), (strings{"failed 1007"}));
  EXPECT_EQ(read(masked_frame(0x81, "\xFF")), (strings{"failed 1007"}));
  EXPECT_EQ(read(masked_frame(0x82, "\xFF")), (strings{"binary \xFF"}));
  EXPECT_EQ(read(masked_frame(0x88, "\x03\xe8\xFF")), (strings{"failed 1007"}));
  EXPECT_EQ(read(masked_frame(0x88, "")), (strings{"close 1005 "}));
}

TEST(utf8_check, knows_the_ends_of_every_range) {
  const auto good = [](std::string_view text) {
    utf8_check whole;
    const bool at_once = whole.feed(text) && whole.complete();
    utf8_check pieces;
    bool one_by_one = true;
    for (const char c : text) one_by_one = one_by_one && pieces.feed(std::string_view(&c, 1));
    EXPECT_EQ(at_once, one_by_one && pieces.complete());
    return at_once;
  };
  for (const char* text : {"", "\x7f", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80",
                           "\xEF\xBF\xBF", "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF"}) {
    EXPECT_TRUE(good(text)) << text;
  }
  for (const char* text :
       {"\x80", "\xBF", "\xC0\x80", "\xC1\xBF", "\xC2", "\xC2\x7f", "\xC2\xC2", "\xE0\x9F\xBF", "\xED\xA0\x80",
        "\xED\xBF\xBF", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFE", "\xE2\x82"}) {
    EXPECT_FALSE(good(text)) << text;
  }
}

TEST(frame_head, has_the_shortest_length) {
  const auto text = [](std::size_t size) {
    const frame_head head(opcode::binary, size);
    return std::string(reinterpret_cast<const char*>(head.bytes().data()), head.bytes().size());
  };
  EXPECT_EQ(text(0), std::string("\x82\x00", 2));
  EXPECT_EQ(text(125), "\x82\x7d");
  EXPECT_EQ(text(126), std::string("\x82\x7e\x00\x7e", 4));
  EXPECT_EQ(text(65535), "\x82\x7e\xff\xff");
  EXPECT_EQ(text(65536), std::string("\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00", 10));
}

TEST(accept_key, is_that_of_the_rfc_or_nothing) {
  EXPECT_EQ(accept_key("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  for (const char* bad : {"", "dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25jZQ",
                          "dGhlIHNhbXBsZSBub25j!Q==", "dGhlIHNhbXBsZSBub25jZQAA", "dGhlIHNhbXBsZSBub25jZ==="}) {
    EXPECT_EQ(accept_key(bad), "") << bad;
  }
}

}  // namespace
