// Which pages have content: what the kernel's scan says and what reading each page's entry says, on mappings of which
// the touched pages are known.

#include "inspect/memory/present_pages.hpp"

#include "base/file_descriptor.hpp"
#include "base/proc/file.hpp"
#include "support/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <string>
#include <vector>

namespace {

using tare::inspect::address_range;
using tare::inspect::present_pages;
using tare::inspect::read_present;
using tare::inspect::scan_present;
using ranges = std::vector<address_range>;

constexpr std::uint64_t page = 4096;

class mapping {
 public:
  explicit mapping(std::uint64_t bytes, bool huge = false)
      : bytes_(bytes),
        begin_(::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)) {
    EXPECT_NE(begin_, MAP_FAILED);
    ::madvise(begin_, bytes, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
  }
  mapping(const mapping&) = delete;
  mapping& operator=(const mapping&) = delete;
  ~mapping() { ::munmap(begin_, bytes_); }

  void touch(std::uint64_t first, std::uint64_t count = 1) {
    for (std::uint64_t i = first; i < first + count; ++i) static_cast<volatile char*>(begin_)[i * page] = 1;
  }

  [[nodiscard]] address_range pages(std::uint64_t first, std::uint64_t count) const {
    const auto begin = reinterpret_cast<std::uintptr_t>(begin_) + first * page;
    return {.begin = begin, .end = begin + count * page};
  }
  [[nodiscard]] address_range all() const { return pages(0, bytes_ / page); }

 private:
  std::uint64_t bytes_;
  void* begin_;
};

tare::base::file_descriptor pagemap_of(const std::string& process) {
  return tare::base::file_descriptor(::open(("/proc/" + process + "/pagemap").c_str(), O_RDONLY | O_CLOEXEC));
}

class live_present_pages : public testing::Test {
 protected:
  /// What both find, if the kernel has the scan; what reading finds otherwise.
  ranges found(address_range of, std::size_t per_call = 512) {
    const auto read = read_present(self_.get(), of);
    const auto scanned = scan_present(self_.get(), of, per_call);
    EXPECT_TRUE(read);
    if (scanned) {
      EXPECT_EQ(*scanned, *read);
    }
    return read.value_or(ranges());
  }
  [[nodiscard]] int self() const { return self_.get(); }
  [[nodiscard]] bool has_scan(const mapping& of) const { return scan_present(self(), of.all()).has_value(); }

 private:
  tare::base::file_descriptor self_ = pagemap_of("self");
};

TEST_F(live_present_pages, are_those_that_were_touched) {
  mapping memory(100 * page);
  EXPECT_EQ(found(memory.all()), ranges());
  memory.touch(3);
  memory.touch(7, 20);
  memory.touch(99);
  EXPECT_EQ(found(memory.all()), (ranges{memory.pages(3, 1), memory.pages(7, 20), memory.pages(99, 1)}));
}

TEST_F(live_present_pages, are_cut_at_the_ends_of_the_range) {
  mapping memory(100 * page);
  memory.touch(10, 50);
  EXPECT_EQ(found(memory.pages(20, 10)), ranges{memory.pages(20, 10)});
  EXPECT_EQ(found(memory.pages(0, 20)), ranges{memory.pages(10, 10)});
  EXPECT_EQ(found(memory.pages(59, 40)), ranges{memory.pages(59, 1)});
  EXPECT_EQ(found(memory.pages(60, 40)), ranges());
  EXPECT_EQ(found(memory.pages(60, 0)), ranges());
}

TEST_F(live_present_pages, may_have_more_runs_than_one_call_returns) {
  constexpr std::uint64_t count = 2'000;
  mapping memory(2 * count * page);
  ranges runs;
  for (std::uint64_t i = 0; i < count; ++i) {
    // Every fifth run is adjacent to the one before it.
    memory.touch(2 * i);
    if (i % 5 == 0) memory.touch(2 * i + 1);
    const auto run = memory.pages(2 * i, i % 5 == 0 ? 2 : 1);
    if (!runs.empty() && runs.back().end == run.begin) {
      runs.back().end = run.end;
    } else {
      runs.push_back(run);
    }
  }
  for (const std::size_t per_call : {1U, 2U, 7U, 511U, 512U, 513U, 10'000U}) {
    EXPECT_EQ(found(memory.all(), per_call), runs) << per_call;
  }
}

TEST_F(live_present_pages, may_be_huge) {
  constexpr std::uint64_t huge = 512;
  mapping memory(4 * huge * page, true);
  memory.touch(2 * huge + 3);
  const auto touched = memory.pages(2 * huge + 3, 1);
  EXPECT_THAT(found(memory.all()),
              testing::Contains(testing::AllOf(testing::Field(&address_range::begin, testing::Le(touched.begin)),
                                               testing::Field(&address_range::end, testing::Ge(touched.end)))));
  // Ends within the huge page, if it is one.
  EXPECT_EQ(found(touched), ranges{touched});
}

TEST_F(live_present_pages, may_be_readable_by_nobody) {
  mapping memory(10 * page);
  memory.touch(2, 3);
  // NOLINTNEXTLINE(performance-no-int-to-ptr): the address came from mmap
  ASSERT_EQ(::mprotect(reinterpret_cast<void*>(memory.all().begin), 10 * page, PROT_NONE), 0);
  EXPECT_EQ(found(memory.all()), ranges{memory.pages(2, 3)});
}

TEST_F(live_present_pages, of_terabytes_are_found_without_reading_an_entry_for_each) {
  constexpr std::uint64_t pages = (std::uint64_t{4} << 40U) / page;
  mapping memory(pages * page);
  if (!has_scan(memory)) GTEST_SKIP() << "this kernel does not have PAGEMAP_SCAN";
  const std::vector<std::uint64_t> touched = {0, pages / 3, pages / 3 + 2, pages - 1};
  ranges expected;
  for (const auto at : touched) {
    memory.touch(at);
    expected.push_back(memory.pages(at, 1));
  }
  const auto bytes_read = [] {
    const auto text = tare::base::read_proc_file("/proc/self/io").value_or("");
    std::uint64_t bytes = 0;
    constexpr std::size_t word = 7;  // "rchar: "
    std::from_chars(text.data() + word, text.data() + text.size(), bytes);
    return bytes;
  };
  const auto before = bytes_read();
  const auto found_all = present_pages(self(), memory.all());
  EXPECT_LT(bytes_read() - before, 1'000'000U);
  ASSERT_TRUE(found_all);
  EXPECT_EQ(*found_all, expected);
  for (const auto at : touched) {
    const auto first = at < 1'000 ? 0 : at - 1'000;
    found(memory.pages(first, std::min<std::uint64_t>(2'000, pages - first)));
  }
}

TEST(live_present_pages_alone, are_read_where_the_kernel_has_no_scan) {
  const support::temporary_folder folder;
  const tare::base::file_descriptor file(
      ::open((folder / "pagemap").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR));
  // Present, swapped, nothing, of a file but not present, present.
  const std::vector<std::uint64_t> entries = {std::uint64_t{1} << 63U, std::uint64_t{1} << 62U, 0,
                                              std::uint64_t{1} << 61U, std::uint64_t{1} << 63U | 77U};
  constexpr std::uint64_t first = 1'000;
  const auto bytes = static_cast<ssize_t>(entries.size() * sizeof entries[0]);
  ASSERT_EQ(::pwrite(file.get(), entries.data(), static_cast<std::size_t>(bytes), first * sizeof entries[0]), bytes);
  const auto range = [](std::uint64_t begin, std::uint64_t end) {
    return address_range{.begin = (first + begin) * page, .end = (first + end) * page};
  };
  EXPECT_EQ(scan_present(file.get(), range(0, 5)), std::nullopt);
  EXPECT_EQ(present_pages(file.get(), range(0, 5)), (ranges{range(0, 2), range(4, 5)}));
  EXPECT_EQ(present_pages(file.get(), range(1, 3)), ranges{range(1, 2)});
  EXPECT_EQ(present_pages(file.get(), range(4, 9)), ranges{range(4, 5)}) << "the last entries do not exist";
  EXPECT_EQ(present_pages(file.get(), range(5, 9)), std::nullopt);
}

TEST(live_present_pages_alone, are_none_after_the_process_has_ended) {
  const mapping memory(10 * page);
  const pid_t child = ::fork();
  if (child == 0) {
    for (;;) ::pause();
  }
  ASSERT_GT(child, 0);
  const auto file = pagemap_of(std::to_string(child));
  ASSERT_TRUE(file);
  ASSERT_EQ(::kill(child, SIGKILL), 0);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_EQ(scan_present(file.get(), memory.all()).value_or(ranges()), ranges());
  EXPECT_EQ(read_present(file.get(), memory.all()), std::nullopt);
  EXPECT_EQ(present_pages(file.get(), memory.all()).value_or(ranges()), ranges());
}

}  // namespace
