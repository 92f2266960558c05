// What a crash leaves on a disk: at every call, under many seeds, compared with what may be left.

#include <tare/sim.hpp>
#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::task;
using tare::sim::world;

/// The file calls of a program, which succeed; their arguments are right.
struct opened {
  explicit opened(const char* path, int flags = O_RDWR | O_CREAT) : fd(::open(path, flags | O_CLOEXEC, 0644)) {
    EXPECT_GE(fd, 0) << path;
  }
  opened(const opened&) = delete;
  opened& operator=(const opened&) = delete;
  ~opened() { (void)::close(fd); }
  void write(std::string_view text, std::size_t offset = 0) const {
    EXPECT_EQ(::pwrite(fd, text.data(), text.size(), static_cast<off_t>(offset)), static_cast<ssize_t>(text.size()));
  }
  void sync() const { EXPECT_EQ(::fsync(fd), 0); }

  int fd;
};

void sync_directory(const char* path) { opened(path, O_RDONLY | O_DIRECTORY).sync(); }

task<> until_crash(tare::sim::host& of) {
  while (of.is_up()) co_await tare::sleep_for(1ms);
}

/// Calls `check(disk, steps done, has crashed)` for a crash of `program(steps done)` at each of its calls, and for
/// none. Returns the number of calls.
template <class Check>
std::uint64_t crash_at_each_call(std::uint64_t seed, void (*program)(int&), Check check) {
  std::uint64_t calls = 0;
  for (std::uint64_t crash = 1;; ++crash) {
    bool crashed = false;
    tare::sim::run({.seed = seed, .twice = crash == 3}, [&](world& w) -> task<> {
      static int done;
      static bool ended;
      done = 0;
      ended = false;
      auto& host = w.add_host("host");
      auto disk = host.disk();
      disk.put("/data/file", "old");
      disk.crash_at(disk.calls() + crash);
      host.spawn([program]() -> task<> {
        program(done);
        ended = true;
        co_return;
      });
      while (host.is_up() && !ended) co_await tare::sleep_for(1ms);
      crashed = !host.is_up();
      calls = disk.calls();
      if (crashed) {
        co_await until_crash(host);
        host.restart();
      }
      check(disk, done, crashed);
    });
    if (!crashed) return calls;
  }
}

TEST(sim_crash, a_synced_replacement_is_the_old_or_the_new_file_at_every_call) {
  std::set<std::string> seen;
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    const std::uint64_t calls = crash_at_each_call(
        seed,
        [](int& done) {
          {
            const opened made("/data/file.new", O_WRONLY | O_CREAT | O_TRUNC);
            made.write(std::string(2000, 'n'));
            made.sync();
          }
          EXPECT_EQ(::rename("/data/file.new", "/data/file"), 0);
          sync_directory("/data");
          done = 1;
        },
        [&](tare::sim::disk disk, int done, bool /*crashed*/) {
          const std::string left = disk.contents("/data/file").value_or("none");
          const std::string fresh(2000, 'n');
          EXPECT_TRUE(left == "old" || left == fresh) << left.substr(0, 10) << " of " << left.size();
          if (done == 1) {
            EXPECT_EQ(left, fresh);
            EXPECT_FALSE(disk.contents("/data/file.new"));
          }
          seen.insert(left.substr(0, 3));
        });
    EXPECT_EQ(calls, 5U);
  }
  EXPECT_EQ(seen, (std::set<std::string>{"nnn", "old"}));
}

TEST(sim_crash, without_the_sync_of_the_content_some_seed_loses_it) {
  std::set<std::string> kinds;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    crash_at_each_call(
        seed,
        [](int& /*done*/) {
          opened("/data/file.new").write(std::string(9000, 'n'));
          EXPECT_EQ(::rename("/data/file.new", "/data/file"), 0);
          sync_directory("/data");
          const opened next("/data/next");
        },
        [&](tare::sim::disk disk, int /*done*/, bool crashed) {
          if (!crashed) return;
          const std::string left = disk.contents("/data/file").value_or("none");
          if (left == "old") {
            kinds.insert("old");
          } else if (left == std::string(9000, 'n')) {
            kinds.insert("new");
          } else {
            kinds.insert(left.empty() ? "empty" : left.size() < 9000 ? "short" : "torn");
          }
        });
  }
  EXPECT_EQ(kinds, (std::set<std::string>{"empty", "new", "old", "short", "torn"}));
}

TEST(sim_crash, a_name_that_is_not_synced_may_be_lost_or_come_back) {
  int lost = 0;
  int back = 0;
  constexpr int seeds = 60;
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    tare::sim::run({.seed = seed, .twice = false}, [&](world& w) -> task<> {
      auto& host = w.add_host("host");
      host.disk().put("/data/removed", "x");
      host.spawn([]() -> task<> {
        EXPECT_EQ(::unlink("/data/removed"), 0);
        const opened made("/data/made");
        made.write("x");
        made.sync();
        co_return;
      });
      co_await tare::sleep_for(1s);
      host.crash();
      EXPECT_FALSE(host.is_up());
      host.restart();
      const bool has_made = host.disk().contents("/data/made").has_value();
      const bool has_removed = host.disk().contents("/data/removed").has_value();
      // In their order: the removal came first.
      EXPECT_FALSE(has_made && has_removed);
      if (has_made) {
        EXPECT_EQ(host.disk().contents("/data/made"), "x");
      } else {
        ++lost;
      }
      if (has_removed) ++back;
    });
  }
  EXPECT_GT(lost, 5);
  EXPECT_LT(lost, seeds - 5);
  EXPECT_GT(back, 5);
  EXPECT_LT(back, lost);
}

/// Each sector's contents since the last sync, and the sizes of the file.
struct history {
  static constexpr std::size_t sector = 512;
  std::string now;
  std::vector<std::string> versions;

  void changed() { versions.push_back(now); }
  void synced() { versions = {now}; }
  void write(std::string_view text, std::size_t offset) {
    now.resize(std::max(now.size(), offset + text.size()));
    now.replace(offset, text.size(), text);
    changed();
  }
  [[nodiscard]] bool may_be(const std::string& left) const {
    std::size_t smallest = SIZE_MAX;
    std::size_t largest = 0;
    for (const std::string& each : versions) {
      smallest = std::min(smallest, each.size());
      largest = std::max(largest, each.size());
    }
    if (left.size() < smallest || left.size() > largest) return false;
    for (std::size_t start = 0; start < left.size(); start += sector) {
      const std::string part = left.substr(start, sector);
      const std::string nothing(part.size(), '\0');
      const bool known = std::ranges::any_of(versions, [&](const std::string& each) {
        // A file that ended in this sector, or before it, had nothing there.
        std::string then = each.size() > start ? each.substr(start, part.size()) : "";
        then.resize(part.size());
        return then == part;
      });
      if (!known && part != nothing) return false;
    }
    return true;
  }
};

history written;  ///< by the program of the next test

task<> write_at_random(std::uint64_t seed) {
  std::uint64_t state = seed;
  const auto below = [&state](std::uint64_t count) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    return (state >> 33U) % count;
  };
  const opened file("/data/file");
  for (int step = 0;; ++step) {
    const std::uint64_t chosen = below(10);
    if (chosen < 6) {
      const std::size_t offset = below(6000);
      const std::string text(1 + below(1500), static_cast<char>('a' + step % 26));
      // Noted before the call, at which the power may fail: what it would have written is none of the versions then,
      // unless it was.
      history next = written;
      next.write(text, offset);
      file.write(text, offset);
      written = next;
    } else if (chosen < 8) {
      const std::size_t size = below(7000);
      EXPECT_EQ(::ftruncate(file.fd, static_cast<off_t>(size)), 0);
      written.now.resize(size);
      written.changed();
    } else {
      file.sync();
      written.synced();
    }
    if (step % 8 == 7) co_await tare::yield();
  }
}

TEST(sim_crash, each_sector_is_one_that_was_written_since_the_last_sync) {
  for (std::uint64_t seed = 0; seed < 150; ++seed) {
    tare::sim::run({.seed = seed, .twice = seed % 10 == 0}, [&](world& w) -> task<> {
      auto& host = w.add_host("host");
      written = {};
      written.synced();
      host.disk().put("/data/file", "");
      host.disk().crash_at(host.disk().calls() + 1 + seed % 60);
      host.spawn([seed] { return write_at_random(seed); });
      co_await until_crash(host);
      host.restart();
      const std::string left = host.disk().contents("/data/file").value_or("none");
      EXPECT_TRUE(written.may_be(left)) << seed << ": " << left.size() << " bytes";
    });
  }
}

TEST(sim_crash, a_host_crashes_again_and_again) {
  tare::sim::run_seeds(20, {}, [](world& w) -> task<> {
    auto& host = w.add_host("host", {.shards = 2});
    for (int round = 0; round < 4; ++round) {
      host.disk().crash_at(host.disk().calls() + 3);
      host.spawn([]() -> task<> {
        for (;;) {
          co_await tare::offload([] {
            const opened log("/tmp/log");
            log.write("x");
            log.sync();
          });
        }
      });
      co_await until_crash(host);
      EXPECT_THROW(host.spawn([]() -> task<> { co_return; }), std::logic_error);
      host.restart();
    }
  });
}

TEST(sim_crash, the_end_of_the_scenario_comes_before_a_crash_that_has_not_happened) {
  tare::sim::run_seeds(20, {}, [](world& w) -> task<> {
    auto& host = w.add_host("host");
    struct writes_at_its_end {
      writes_at_its_end() = default;
      writes_at_its_end(const writes_at_its_end&) = delete;
      writes_at_its_end& operator=(const writes_at_its_end&) = delete;
      ~writes_at_its_end() { opened("/tmp/last").write("x"); }
    };
    host.disk().crash_at(1);
    host.spawn([]() -> task<> {
      const writes_at_its_end last;
      co_await tare::sleep_for(1h);
    });
    co_await tare::sleep_for(1ms);
    EXPECT_EQ(host.disk().calls(), 0U);
  });
}

TEST(sim_crash, at_the_last_moment_of_the_scenario) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    tare::sim::run({.seed = seed, .twice = false}, [](world& w) -> task<> {
      auto& host = w.add_host("host");
      host.disk().crash_at(1);
      static bool reached;
      reached = false;
      host.spawn([]() -> task<> {
        reached = true;
        opened("/tmp/last").write("x");
        co_return;
      });
      while (!reached) co_await tare::yield();  // NOLINT(bugprone-infinite-loop): another task sets it
    });
  }
}

}  // namespace
