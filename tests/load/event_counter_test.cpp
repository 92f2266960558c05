#include "load/event_counter.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <string_view>
#include <utility>

namespace {

using tare::load::event_counter;

TEST(event_counter, counts_blocks_that_have_data) {
  const std::pair<std::string_view, std::size_t> cases[] = {
      {"", 0},
      {"data: a", 0},
      {"data: a\n", 0},
      {"data: a\n\n", 1},
      {"data: a\r\n\r\n", 1},
      {"data: a\r\r", 1},
      {"data\n\n", 1},
      {"data:\n\n", 1},
      {"data: a\ndata: b\n\n", 1},
      {"data: a\n\ndata: b\n\n", 2},
      {": a comment\n\n", 0},
      {": a comment\ndata: a\n\n", 1},
      {"id: 1\nevent: x\n\n", 0},
      {"id: 1\ndata: a\nretry: 5\n\n", 1},
      {"database: a\n\n", 0},
      {" data: a\n\n", 0},
      {"dat\n\n", 0},
      {"\n\n\n\n", 0},
      {"data: a\n\n\n\n", 1},
      {"data: a\r\n\n", 1},
  };
  for (const auto& [text, events] : cases) {
    event_counter whole;
    whole.feed(text);
    EXPECT_EQ(whole.count(), events) << text;
    event_counter in_bytes;
    for (std::size_t i = 0; i < text.size(); ++i) in_bytes.feed(text.substr(i, 1));
    EXPECT_EQ(in_bytes.count(), events) << text << ", byte by byte";
  }
}

}  // namespace
