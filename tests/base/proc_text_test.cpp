#include "base/proc/kernel_memory.hpp"
#include "base/proc/text.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <string_view>

namespace {

using tare::base::find_kilobytes;
using tare::base::find_value;
using tare::base::parse_stat;
using tare::base::process_stat;

/// A line as the kernel writes it: the parent is 7, and ended children have used 30 + 4 ticks.
std::string stat_line(std::string_view name) {
  return "42 (" + std::string(name) + ") S 7 42 42 0 -1 4194560 105 0 1 0 11 22 30 4 20 0 1 0 1234 5678 90\n";
}

TEST(proc_text_test, reads_parent_state_and_ticks) {
  EXPECT_EQ(parse_stat(stat_line("sleep")), (process_stat{.parent = 7, .state = 'S', .reaped_ticks = 34}));
}

TEST(proc_text_test, the_name_of_a_process_may_be_anything) {
  const process_stat expected{.parent = 7, .state = 'S', .reaped_ticks = 34};
  for (const std::string_view name : {"", ")", "(", "a) R 1 (b", ") S 1 2 3", "two words", "a\nb", "((()))", " "}) {
    EXPECT_EQ(parse_stat(stat_line(name)), expected) << name;
  }
}

TEST(proc_text_test, reads_only_as_far_as_it_needs) {
  EXPECT_TRUE(parse_stat("1 (a) R 1 1 1 1 1 1 1 1 1 1 1 1 1 1"));
  EXPECT_FALSE(parse_stat("1 (a) R 1 1 1 1 1 1 1 1 1 1 1 1 1"));
}

TEST(proc_text_test, a_stat_that_is_none_is_nothing) {
  const std::string middle = " 1 1 1 1 1 1 1 1 1 1 1";
  ASSERT_TRUE(parse_stat("42 (a) S 7" + middle + " 1 1"));
  for (const std::string& text :
       {std::string(), std::string("\n"), std::string("42"), std::string("42 (a)"), std::string("42 (a) "),
        "42 (a S 7" + middle + " 1 1", "42 (a) SS 7" + middle + " 1 1", "42 (a) S x" + middle + " 1 1",
        "42 (a) S -7" + middle + " 1 1", "42 (a) S 99999999999" + middle + " 1 1", "42 (a) S 7" + middle + " x 1",
        "42 (a) S 7" + middle + " 1 -1", "42 (a) S 7" + middle + " 1 9223372036854775807",
        "42 (a) S 7" + middle + " 1"}) {
    EXPECT_FALSE(parse_stat(text)) << text;
  }
}

TEST(proc_text_test, finds_the_value_of_a_key) {
  constexpr std::string_view text =
      "processor\t: 0\nno colon\nmodel name\t:  A: fast CPU \r\nmodel name: another\nempty:\n";
  EXPECT_EQ(find_value(text, "processor"), "0");
  EXPECT_EQ(find_value(text, "model name"), "A: fast CPU");
  EXPECT_EQ(find_value(text, "empty"), "");
  EXPECT_EQ(find_value(text, "model"), std::nullopt);
  EXPECT_EQ(find_value(text, "no colon"), std::nullopt);
  EXPECT_EQ(find_value("", "processor"), std::nullopt);
  EXPECT_EQ(find_value("key: value", "key"), "value");  // no line end
}

TEST(proc_text_test, finds_kilobytes) {
  constexpr std::string_view text = "VmRSSx:  1 kB\nVmRSS:\t   2048 kB\nVmRSS:  3 kB\nRss: 0 kB";
  EXPECT_EQ(find_kilobytes(text, "VmRSS"), 2048U * 1024);
  EXPECT_EQ(find_kilobytes(text, "Rss"), 0U);
  EXPECT_EQ(find_kilobytes(text, "Pss"), std::nullopt);
}

TEST(proc_text_test, kilobytes_that_are_none_are_nothing) {
  for (const std::string_view value : {"", "kB", " kB", "12", "12 KB", "12 MB", "12kB", "x kB", "1x kB", "-1 kB",
                                       "+1 kB", "0x10 kB", "1 2 kB", "1.5 kB", "12 kB!"}) {
    EXPECT_EQ(find_kilobytes("Rss: " + std::string(value), "Rss"), std::nullopt) << value;
  }
}

TEST(proc_text_test, kilobytes_do_not_overflow) {
  EXPECT_EQ(find_kilobytes("Rss: 18014398509481983 kB", "Rss"), 18'446'744'073'709'550'592U);
  EXPECT_EQ(find_kilobytes("Rss: 18014398509481984 kB", "Rss"), std::nullopt);
  EXPECT_EQ(find_kilobytes("Rss: 99999999999999999999 kB", "Rss"), std::nullopt);
}

TEST(proc_text_test, reads_what_the_kernel_holds_for_sockets) {
  using tare::base::kernel_memory;
  using tare::base::parse_kernel_memory;
  constexpr std::string_view meminfo = "MemTotal: 100 kB\nSlab:             169776 kB\nSReclaimable: 1 kB\n";
  constexpr std::string_view sockstat =
      "sockets: used 13\nTCP: inuse 1 orphan 0 tw 0 alloc 1 mem 178\nUDP: inuse 0 mem 9\n";
  EXPECT_EQ(parse_kernel_memory(meminfo, sockstat, 4096),
            (kernel_memory{.slab = 169776 * 1024, .sockets = 178 * 4096}));
  EXPECT_EQ(parse_kernel_memory("", "", 4096), kernel_memory());
  for (const std::string_view wrong :
       {"TCP: inuse 1 orphan 0", "TCP: mem", "TCP: inuse 1 mem x", "TCP: inuse 1 mem 5x", "TCP: inuse 1 mem -5",
        "TCP: inuse 1 mem 99999999999999999999999", "TCP: inuse 1 mem 18446744073709551615", "UDP: inuse 0 mem 9"}) {
    EXPECT_EQ(parse_kernel_memory(meminfo, wrong, 4096).sockets, std::nullopt) << wrong;
  }
  EXPECT_EQ(parse_kernel_memory("Slab: many kB", sockstat, 4096).slab, std::nullopt);
  const kernel_memory here = tare::base::read_kernel_memory();
  EXPECT_TRUE(here.slab && *here.slab > 0);
}

}  // namespace
