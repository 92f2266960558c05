#include "base/proc/memory.hpp"

#include "base/proc/cpu_time.hpp"
#include "base/proc/machine.hpp"
#include "base/proc/process_tree.hpp"
#include "support/conversation.hpp"

#include <gtest/gtest.h>

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <new>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace conversation;
using namespace std::chrono_literals;
using tare::base::descendants;
using tare::base::memory;
using tare::base::read_cpu_time;
using tare::base::read_memory;

constexpr std::size_t mebibyte = std::size_t{1} << 20U;

memory own_memory() {
  const std::vector<pid_t> self{::getpid()};
  const auto held = read_memory(self);
  if (!held) throw std::runtime_error(held.error().message);
  return *held;
}

/// Fresh memory with every page written to.
class touched_memory {
 public:
  explicit touched_memory(std::size_t size)
      : size_(size), start_(::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {
    if (start_ == MAP_FAILED) throw std::bad_alloc();
    auto* bytes = static_cast<volatile char*>(start_);
    for (std::size_t at = 0; at < size; at += 4096) bytes[at] = 1;
  }
  touched_memory(const touched_memory&) = delete;
  touched_memory& operator=(const touched_memory&) = delete;
  ~touched_memory() { ::munmap(start_, size_); }

 private:
  std::size_t size_;
  void* start_;
};

TEST(memory_test, sees_the_memory_that_this_process_touches) {
  const memory before = own_memory();
  const touched_memory more(32 * mebibyte);
  const memory after = own_memory();
  // Some of it may be swapped out if memory is short.
  const auto held = [](const memory& of) { return of.resident + of.swapped; };
  EXPECT_GE(held(after), held(before) + 32 * mebibyte);
  EXPECT_GE(after.anonymous + after.swapped, before.anonymous + before.swapped + 32 * mebibyte);
  EXPECT_GE(after.peak, after.resident);
  EXPECT_GT(after.proportional, 0U);
  EXPECT_LE(after.proportional, after.resident);
  EXPECT_GT(after.page_tables, 0U);
}

TEST(memory_test, the_peak_stays_when_the_memory_is_given_back) {
  const memory before = own_memory();
  {
    const touched_memory more(32 * mebibyte);
  }
  EXPECT_GE(own_memory().peak + mebibyte, before.resident + 32 * mebibyte);
}

TEST(memory_test, adds_up_several_processes) {
  const auto first = shell("echo here; exec sleep 100");
  const auto second = shell("echo here; exec sleep 100");
  first_line(first);
  first_line(second);
  const auto held = [](std::vector<pid_t> of) { return read_memory(of).value().resident; };
  const auto made = held({first.pid()});
  EXPECT_GT(made, 0U);
  EXPECT_GT(held({first.pid(), second.pid()}), made);
}

TEST(memory_test, what_has_ended_counts_as_nothing_unless_it_is_all) {
  const pid_t ended = ::fork();
  if (ended == 0) ::_exit(0);
  siginfo_t info{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(ended), &info, WEXITED | WNOWAIT), 0);
  for (const bool collected : {false, true}) {
    if (collected) {
      ASSERT_EQ(::waitpid(ended, nullptr, 0), ended);
    }
    const std::vector<pid_t> both{ended, ::getpid()};
    EXPECT_TRUE(read_memory(both));
    const auto none = read_memory(std::span(both).first(1));
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().message, "there is no process left to read the memory of");
  }
}

TEST(process_tree_test, finds_children_and_grandchildren_and_nothing_else) {
  const auto running = shell("sh -c 'sleep 100 & echo $!; wait'; :");
  const pid_t grandchild = to_pid(first_line(running));
  const auto below = descendants(running.supervisor());
  ASSERT_TRUE(below);
  EXPECT_EQ(below->size(), 3U);
  EXPECT_EQ(below->front(), running.pid());
  EXPECT_EQ(std::ranges::count(*below, grandchild), 1);
  EXPECT_EQ(std::ranges::count(*below, ::getpid()), 0);
}

TEST(process_tree_test, an_ancestor_without_children_has_none) {
  const auto running = shell("echo here; exec sleep 100");
  first_line(running);
  EXPECT_EQ(descendants(running.pid()).value(), std::vector<pid_t>{});
}

TEST(cpu_time_test, grows_with_what_this_process_uses) {
  const std::vector<pid_t> self{::getpid()};
  const auto before = read_cpu_time(self);
  timespec used{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  const auto until = std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec) + 50ms;
  do {
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  } while (std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec) < until);
  EXPECT_GE(read_cpu_time(self) - before, 50ms);
}

TEST(cpu_time_test, a_process_that_is_not_there_uses_none) {
  const std::vector<pid_t> nobody{1 << 22};  // larger than any process number
  EXPECT_EQ(read_cpu_time(nobody), 0ns);
}

TEST(machine_test, says_what_the_measurement_depends_on) {
  const auto machine = tare::base::this_machine();
  EXPECT_GE(machine.cores, 1U);
  EXPECT_TRUE(machine.kernel.starts_with("Linux ")) << machine.kernel;
  if (!machine.transparent_huge_pages.empty()) {
    const std::vector<std::string> choices{"always", "madvise", "never"};
    EXPECT_EQ(std::ranges::count(choices, machine.transparent_huge_pages), 1);
  }
}

}  // namespace
