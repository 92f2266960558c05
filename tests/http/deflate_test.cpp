// Compressed messages apart from connections: the algorithm with hostile input, and the negotiation.

#include "http/websocket/deflate.hpp"

#include "http/websocket/extensions.hpp"
#include "http/websocket/frame.hpp"
#include "http/websocket_frames.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace {

using tare::http::fields;
using tare::http::detail::accept_deflate;
using tare::http::detail::deflate_offer;
using tare::http::detail::frame_reader;
using tare::http::detail::is_deflate_accepted;
using tare::http::detail::message_codec;
using outcome = message_codec::outcome;

const message_codec::admission admit_all = [](std::size_t /*bytes*/) { return true; };

std::string text_of_size(std::size_t size) {
  std::string text;
  for (int i = 0; text.size() < size; ++i) text += R"({"number": )" + std::to_string(i % 97) + R"(, "name": "tare"}, )";
  text.resize(size);
  return text;
}

std::string random_of_size(std::size_t size) {
  std::mt19937 numbers(size);  // NOLINT(bugprone-random-generator-seed): the same each time
  std::string bytes;
  while (bytes.size() < size) bytes += static_cast<char>(numbers());
  return bytes;
}

TEST(deflate, gives_back_what_was_compressed) {
  message_codec codec;
  for (const std::size_t size : {1U, 10U, 255U, 256U, 4'095U, 4'096U, 4'097U, 70'000U, 1'048'576U}) {
    const std::string text = text_of_size(size);
    const std::string compressed(codec.compress(text));
    EXPECT_EQ(compressed.empty(), size < 60) << size;
    if (compressed.empty()) continue;
    EXPECT_LT(compressed.size(), size);
    std::string back;
    EXPECT_EQ(codec.decompress(compressed, size, back, admit_all), outcome::complete) << size;
    EXPECT_TRUE(back == text) << size;
    EXPECT_EQ(codec.decompress(compressed, size - 1, back, admit_all), outcome::too_large) << size;
  }
}

TEST(deflate, leaves_alone_what_does_not_become_smaller_or_is_too_large) {
  message_codec codec;
  for (const std::size_t size : {0U, 1U, 300U, 5'000U, 100'000U}) EXPECT_EQ(codec.compress(random_of_size(size)), "");
  EXPECT_NE(codec.compress(text_of_size(message_codec::max_compressed_bytes)), "");
  EXPECT_EQ(codec.compress(text_of_size(message_codec::max_compressed_bytes + 1)), "");
}

// Other implementations cut blocks differently (RFC 7692, 7.2.3).
TEST(deflate, understands_the_examples_of_the_standard) {
  message_codec codec;
  const auto read = [&codec](std::string_view compressed) {
    std::string back;
    return codec.decompress(compressed, 100, back, admit_all) == outcome::complete ? back : "failed";
  };
  EXPECT_EQ(read(std::string_view("\xf2\x48\xcd\xc9\xc9\x07\x00", 7)), "Hello");
  EXPECT_EQ(read(std::string_view("\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00", 11)), "Hello");
  EXPECT_EQ(read(std::string_view("\xf3\x48\xcd\xc9\xc9\x07\x00\x00", 8)), "Hello") << "a last block";
  EXPECT_EQ(read(std::string_view("\xf3\x48\xcd\xc9\xc9\x07\x00", 7)), "Hello") << "a last block and nothing more";
  EXPECT_EQ(read(std::string_view("\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", 13)), "Hello")
      << "two blocks";
  EXPECT_EQ(read(std::string_view("\x00", 1)), "");
  EXPECT_EQ(read({}), "");
  // Refers to the message before it, which only a context would know.
  EXPECT_EQ(read(std::string_view("\xf2\x00\x11\x00\x00", 5)), "failed");
}

TEST(deflate, stops_a_bomb_at_the_limit) {
  // 1 MiB of zeros, many times over, in a few kilobytes.
  message_codec codec;
  std::string bomb;
  const std::string part(codec.compress(std::string(1U << 20U, '\0')));
  for (int i = 0; i < 1000; ++i) bomb += part + std::string("\0\0\xff\xff", 4);
  std::size_t most = 0;
  const auto watch = [&most](std::size_t bytes) {
    most = std::max(most, bytes);
    return true;
  };
  std::string back;
  EXPECT_EQ(codec.decompress(bomb, 100'000, back, watch), outcome::too_large);
  EXPECT_LE(back.size(), 100'001U);
  EXPECT_LE(most, 2 * 100'001U);
  const auto refuse = [](std::size_t bytes) { return bytes <= 50'000; };
  EXPECT_EQ(codec.decompress(part, 1U << 20U, back, refuse), outcome::no_room);
  EXPECT_LE(back.size(), 50'000U);
}

TEST(deflate, refuses_what_is_cut_or_changed) {
  message_codec codec;
  const std::string text = text_of_size(3'000);
  const std::string compressed(codec.compress(text));
  std::string back;
  for (std::size_t cut = 1; cut < compressed.size(); ++cut) {
    EXPECT_EQ(codec.decompress(compressed.substr(0, cut), 10'000, back, admit_all), outcome::malformed) << cut;
  }
  std::size_t malformed = 0;
  for (std::size_t at = 0; at < compressed.size(); ++at) {
    for (unsigned bit = 1; bit < 0x100; bit <<= 1U) {
      std::string changed = compressed;
      changed[at] = static_cast<char>(static_cast<unsigned char>(changed[at]) ^ bit);
      const outcome got = codec.decompress(changed, 100'000, back, admit_all);
      if (got == outcome::malformed) ++malformed;
      EXPECT_LE(back.size(), 100'001U);
    }
  }
  EXPECT_GT(malformed, compressed.size());
  // The next message is not affected.
  EXPECT_EQ(codec.decompress(compressed, text.size(), back, admit_all), outcome::complete);
  EXPECT_TRUE(back == text);
}

// --- the negotiation ------------------------------------------------------------------------------------------------

std::string accepted(std::string_view offer) {
  fields request;
  request.add("sec-websocket-extensions", offer);
  return std::string(accept_deflate(request).value_or("none"));
}

TEST(deflate, accepts_the_first_offer_that_it_can) {
  const std::string plain = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
  const std::string limited = plain + "; server_max_window_bits=12";
  EXPECT_EQ(accepted("permessage-deflate"), plain);
  EXPECT_EQ(accepted("Permessage-Deflate"), plain);
  EXPECT_EQ(accepted("permessage-deflate; client_max_window_bits"), plain);
  EXPECT_EQ(accepted("permessage-deflate; client_max_window_bits=8;client_no_context_takeover"), plain);
  EXPECT_EQ(accepted("permessage-deflate ; server_max_window_bits = 15"), limited);
  EXPECT_EQ(accepted("permessage-deflate; server_max_window_bits=\"12\""), limited);
  EXPECT_EQ(accepted("permessage-deflate; server_max_window_bits=11, permessage-deflate"), plain);
  EXPECT_EQ(accepted("x; a=\"permessage-deflate, \\\" ;\", permessage-deflate; server_max_window_bits=13"), limited);
  EXPECT_EQ(accepted(deflate_offer), plain);
  for (const char* refused :
       {"x-webkit-deflate-frame", "permessage-deflate; unknown", "permessage-deflate; server_max_window_bits",
        "permessage-deflate; server_max_window_bits=8", "permessage-deflate; server_max_window_bits=16",
        "permessage-deflate; server_max_window_bits=012", "permessage-deflate; server_max_window_bits=1x",
        "permessage-deflate; server_max_window_bits=", "permessage-deflate; client_max_window_bits=7",
        "permessage-deflate; client_max_window_bits; client_max_window_bits",
        "permessage-deflate; server_no_context_takeover=1", "permessage-deflate;;",
        "permessage-deflate; server_max_window_bits=12; server_max_window_bits=12",
        "permessage-deflate; server_no_context_takeover; server_no_context_takeover", "permessage-deflate x", ",,",
        ""}) {
    EXPECT_EQ(accepted(refused), "none") << refused;
  }
  fields two;
  two.add("sec-websocket-extensions", "unknown").add("sec-websocket-extensions", "permessage-deflate");
  EXPECT_EQ(accept_deflate(two), plain);
  EXPECT_EQ(accept_deflate(fields()), std::nullopt);
}

TEST(deflate, checks_the_response_to_its_offer) {
  const auto check = [](std::string_view response) {
    fields of;
    of.add("sec-websocket-extensions", response);
    return is_deflate_accepted(of);
  };
  EXPECT_EQ(is_deflate_accepted(fields()), false);
  EXPECT_EQ(check("permessage-deflate; server_no_context_takeover"), true);
  EXPECT_EQ(check("permessage-deflate; client_no_context_takeover; server_no_context_takeover"), true);
  EXPECT_EQ(check("permessage-deflate; server_no_context_takeover; server_max_window_bits=9"), true);
  for (const char* refused :
       {"permessage-deflate", "permessage-deflate; client_no_context_takeover", "", "unknown",
        "permessage-deflate; server_no_context_takeover; client_max_window_bits=10",
        "permessage-deflate; server_no_context_takeover; client_max_window_bits",
        "permessage-deflate; server_no_context_takeover, permessage-deflate; server_no_context_takeover",
        "permessage-deflate; server_no_context_takeover; mystery"}) {
    EXPECT_EQ(check(refused), std::nullopt) << refused;
  }
  fields twice;
  twice.add("sec-websocket-extensions", "permessage-deflate; server_no_context_takeover");
  twice.add("sec-websocket-extensions", "permessage-deflate; server_no_context_takeover");
  EXPECT_EQ(is_deflate_accepted(twice), std::nullopt);
}

// --- frames ---------------------------------------------------------------------------------------------------------

TEST(deflate, is_marked_only_on_the_first_frame_of_a_message) {
  const auto reached = [](std::initializer_list<unsigned char> firsts, bool negotiated) {
    frame_reader reader(frame_reader::role::client, 1000, negotiated);
    auto got = frame_reader::progress::incomplete;
    for (const unsigned char first : firsts) {
      std::vector<std::byte> frame{std::byte{first}, std::byte{1}, std::byte{'a'}};
      got = reader.feed(frame);
    }
    return got;
  };
  using progress = frame_reader::progress;
  EXPECT_EQ(reached({0xC1}, true), progress::message);
  EXPECT_EQ(reached({0xC2}, true), progress::message);
  EXPECT_EQ(reached({0x41, 0x80}, true), progress::message);
  EXPECT_EQ(reached({0x41, 0x89, 0x80}, true), progress::message);
  EXPECT_EQ(reached({0x41, 0xC0}, true), progress::failed) << "on a continuation";
  EXPECT_EQ(reached({0x01, 0xC0}, true), progress::failed);
  EXPECT_EQ(reached({0xC9}, true), progress::failed) << "on a ping";
  EXPECT_EQ(reached({0xCA}, true), progress::failed);
  EXPECT_EQ(reached({0xC8}, true), progress::failed);
  EXPECT_EQ(reached({0xE1}, true), progress::failed) << "with another bit";
  EXPECT_EQ(reached({0xD1}, true), progress::failed);
  EXPECT_EQ(reached({0xC1}, false), progress::failed) << "not negotiated";
}

// What does not compress becomes larger than the message, which may be as large as the limit.
TEST(deflate, may_exceed_the_limit_by_what_it_adds) {
  const auto reached = [](unsigned char first, std::size_t size) {
    frame_reader reader(frame_reader::role::client, 1000, true);
    std::string frame = tare::test::server_frame(first, std::string(size, 'x'));
    return reader.feed(std::as_writable_bytes(std::span(frame)));
  };
  using progress = frame_reader::progress;
  EXPECT_EQ(reached(0xC2, 1064), progress::message);
  EXPECT_EQ(reached(0xC2, 1065), progress::failed);
  EXPECT_EQ(reached(0x82, 1000), progress::message);
  EXPECT_EQ(reached(0x82, 1001), progress::failed);
}

}  // namespace
