#include "inspect/memory/maps.hpp"

#include <gtest/gtest.h>

namespace {

using tare::inspect::parse_maps;

TEST(live_maps, are_read_with_and_without_a_path) {
  const auto regions = parse_maps(
      "55d0c0a00000-55d0c0a05000 r-xp 00002000 fe:00 11673602                   /usr/bin/a program\n"
      "55d0c1000000-55d0c1021000 rw-p 00000000 00:00 0                          [heap]\n"
      "7f0000000000-7f0000001000 rw-s 00000000 00:01 77                         /memfd:x (deleted)\n"
      "7f0000001000-7f0000002000 ---p 00000000 00:00 0 \n");
  ASSERT_EQ(regions.size(), 4U);
  EXPECT_EQ(regions[0].where.begin, 0x55d0c0a00000U);
  EXPECT_EQ(regions[0].where.end, 0x55d0c0a05000U);
  EXPECT_TRUE(regions[0].readable && !regions[0].writable && regions[0].executable && !regions[0].shared);
  EXPECT_EQ(regions[0].file_offset, 0x2000U);
  EXPECT_EQ(regions[0].inode, 11673602U);
  EXPECT_EQ(regions[0].path, "/usr/bin/a program");
  EXPECT_EQ(regions[1].path, "[heap]");
  EXPECT_TRUE(regions[2].shared);
  EXPECT_EQ(regions[2].path, "/memfd:x (deleted)");
  EXPECT_TRUE(regions[3].path.empty());
  EXPECT_FALSE(regions[3].readable);
}

TEST(live_maps, leave_out_what_is_no_region) {
  EXPECT_TRUE(parse_maps("").empty());
  EXPECT_TRUE(parse_maps("no maps\n\n1-2\n").empty());
  EXPECT_TRUE(parse_maps("2000-1000 rw-p 00000000 00:00 0\n").empty()) << "ends before it begins";
  EXPECT_TRUE(parse_maps("1000-zzzz rw-p 00000000 00:00 0\n").empty());
  EXPECT_EQ(parse_maps("1000-2000 rw-p 00000000 00:00 0").size(), 1U) << "without the end of the line";
}

TEST(live_maps, are_by_address_and_do_not_overlap) {
  const auto regions = parse_maps(
      "3000-5000 rw-p 00000000 00:00 0\n"
      "1000-2000 rw-p 00000000 00:00 0\n"
      "4000-6000 rw-p 00000000 00:00 0\n");
  ASSERT_EQ(regions.size(), 2U);
  EXPECT_EQ(regions[0].where.begin, 0x1000U);
  EXPECT_EQ(regions[1].where.begin, 0x3000U);
}

}  // namespace
