// The disk of a host: the calls of the system against what they should do, their errors, and what a crash leaves.

#include <tare/net.hpp>
#include <tare/sim.hpp>
#include <tare/tare.hpp>

#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using tare::task;
using tare::sim::world;

int open_new(const char* path) { return ::open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644); }

bool write_all(int fd, std::string_view text) {
  return ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

/// The error number of a call that should fail.
int error_of(int result) { return result < 0 ? errno : 0; }

TEST(sim_disk, is_read_as_it_was_written) {
  tare::sim::run_seeds(20, {}, [](world& w) -> task<> {
    const int fd = open_new("/tmp/log");
    EXPECT_TRUE(write_all(fd, "hello world"));
    EXPECT_EQ(::lseek(fd, 0, SEEK_CUR), 11);
    EXPECT_EQ(::pwrite(fd, "J", 1, 0), 1);
    EXPECT_EQ(::lseek(fd, -5, SEEK_END), 6);
    std::string text(20, '?');
    EXPECT_EQ(::read(fd, text.data(), text.size()), 5);
    EXPECT_EQ(text.substr(0, 5), "world");
    EXPECT_EQ(::pread(fd, text.data(), 5, 0), 5);
    EXPECT_EQ(text.substr(0, 5), "Jello");
    EXPECT_EQ(::read(fd, text.data(), 1), 0);
    EXPECT_EQ(::ftruncate(fd, 2), 0);
    EXPECT_EQ(::pwrite(fd, "x", 1, 4), 1);
    EXPECT_EQ(w.here().disk().contents("/tmp/log"), std::string("Je\0\0x", 5));
    struct stat seen{};
    EXPECT_EQ(::fstat(fd, &seen), 0);
    EXPECT_TRUE(S_ISREG(seen.st_mode));
    EXPECT_EQ(seen.st_size, 5);
    EXPECT_EQ(::close(fd), 0);

    const int more = ::open("/tmp/log", O_WRONLY | O_APPEND | O_CLOEXEC);
    EXPECT_TRUE(write_all(more, "end"));
    EXPECT_EQ(::pread(more, text.data(), 1, 0), -1);
    EXPECT_EQ(errno, EBADF);
    EXPECT_EQ(::close(more), 0);
    EXPECT_EQ(w.here().disk().contents("//tmp/./x/../log"), std::string("Je\0\0xend", 8));
    EXPECT_EQ(w.here().disk().used_bytes(), 8U);
    co_return;
  });
}

TEST(sim_disk, an_unlinked_file_lives_until_it_is_closed) {
  tare::sim::run({}, [](world& w) -> task<> {
    const int fd = open_new("/tmp/gone");
    EXPECT_TRUE(write_all(fd, "still"));
    EXPECT_EQ(::unlink("/tmp/gone"), 0);
    struct stat seen{};
    EXPECT_EQ(::fstat(fd, &seen), 0);
    EXPECT_EQ(seen.st_nlink, 0U);
    EXPECT_EQ(error_of(::stat("/tmp/gone", &seen)), ENOENT);
    std::string text(5, '?');
    EXPECT_EQ(::pread(fd, text.data(), 5, 0), 5);
    EXPECT_EQ(text, "still");
    EXPECT_EQ(::close(fd), 0);
    EXPECT_TRUE(w.here().disk().files().empty());
    co_return;
  });
}

TEST(sim_disk, errors_are_those_of_the_system) {
  tare::sim::run({}, [](world& w) -> task<> {
    auto disk = w.here().disk();
    disk.put("/data/file", "x");
    EXPECT_EQ(::mkdir("/data/empty", 0755), 0);
    EXPECT_EQ(error_of(::open("/data/none", O_RDONLY | O_CLOEXEC)), ENOENT);
    EXPECT_EQ(error_of(::open("/none/file", O_RDWR | O_CREAT | O_CLOEXEC, 0644)), ENOENT);
    EXPECT_EQ(error_of(::open("/data/file/below", O_RDWR | O_CREAT | O_CLOEXEC, 0644)), ENOTDIR);
    EXPECT_EQ(error_of(::open("/data/file", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644)), EEXIST);
    EXPECT_EQ(error_of(::open("/data", O_RDWR | O_CLOEXEC)), EISDIR);
    EXPECT_EQ(error_of(::open("/data/file", O_RDONLY | O_DIRECTORY | O_CLOEXEC)), ENOTDIR);
    EXPECT_EQ(error_of(::unlink("/data/empty")), EISDIR);
    EXPECT_EQ(error_of(::rmdir("/data")), ENOTEMPTY);
    EXPECT_EQ(error_of(::rmdir("/data/file")), ENOTDIR);
    EXPECT_EQ(error_of(::rename("/data/none", "/data/other")), ENOENT);
    EXPECT_EQ(error_of(::rename("/data", "/data/empty/below")), EINVAL);
    EXPECT_EQ(error_of(::rename("/data/file", "/data/empty")), EISDIR);
    EXPECT_EQ(error_of(::rename("/data/empty", "/data/file")), ENOTDIR);
    EXPECT_EQ(error_of(::mkdir("/data", 0755)), EEXIST);
    EXPECT_EQ(error_of(::access("/data/none", F_OK)), ENOENT);
    EXPECT_EQ(::rename("/data", "/moved"), 0);
    EXPECT_EQ(disk.contents("/moved/file"), "x");
    EXPECT_EQ(disk.files(), std::vector<std::string>{"/moved/file"});
    EXPECT_EQ(::rmdir("/moved/empty"), 0);
    w.here().limit_descriptors(w.here().open_descriptors());
    EXPECT_EQ(error_of(open_new("/moved/new")), EMFILE);
    EXPECT_EQ(disk.files().size(), 1U);
    EXPECT_THROW(disk.put("/moved", "a directory"), std::invalid_argument);
    EXPECT_THROW(disk.put("/moved/file/below", "no directory"), std::invalid_argument);
    EXPECT_THROW(disk.corrupt("/moved/file", 1), std::out_of_range);
    EXPECT_THROW(disk.crash_at(1), std::logic_error);
    co_return;
  });
}

TEST(sim_disk, hosts_have_disks_of_their_own_and_the_real_one_is_not_written) {
  tare::sim::run({}, [](world& w) -> task<> {
    auto& other = w.add_host("other");
    static int seen;
    seen = 0;
    other.disk().put("/tmp/tare-sim-test", "of the other");
    other.spawn([]() -> task<> {
      seen = ::access("/tmp/tare-sim-test", F_OK) == 0 ? 1 : 2;
      co_return;
    });
    co_await tare::sleep_for(1ms);
    EXPECT_EQ(seen, 1);
    EXPECT_EQ(error_of(::access("/tmp/tare-sim-test", F_OK)), ENOENT);
    EXPECT_EQ(error_of(::access("/etc/passwd", F_OK)), ENOENT);
    // Certificates and libraries may be read.
    EXPECT_EQ(::access("/usr/bin", F_OK), 0);
  });
  EXPECT_NE(::access("/tmp/tare-sim-test", F_OK), 0);
}

TEST(sim_disk, the_library_and_streams_use_it) {
  tare::sim::run_seeds(10, {}, [](world& w) -> task<> {
    auto log = co_await tare::net::file::open("/tmp/log", O_RDWR | O_CREAT | O_APPEND);
    EXPECT_TRUE(log.has_value());
    if (!log) co_return;
    const auto written = co_await log->write(std::as_bytes(std::span("one\ntwo\n", 8)));
    EXPECT_TRUE(written.has_value());
    const auto synced = co_await log->sync();
    EXPECT_TRUE(synced.has_value());
    const auto size = co_await log->size();
    EXPECT_EQ(size.value_or(0), 8U);
    std::ifstream in("/tmp/log");
    std::string line;
    EXPECT_TRUE(std::getline(in, line));
    EXPECT_EQ(line, "one");
    std::ofstream("/tmp/copy") << in.rdbuf();
    EXPECT_EQ(w.here().disk().contents("/tmp/copy"), "two\n");
    FILE* const stream = std::fopen("/tmp/copy", "r+");
    EXPECT_NE(stream, nullptr);
    if (stream == nullptr) co_return;
    EXPECT_EQ(std::fseek(stream, 0, SEEK_END), 0);
    EXPECT_EQ(std::fputs("three\n", stream), 1);
    EXPECT_EQ(std::fclose(stream), 0);
    EXPECT_EQ(w.here().disk().contents("/tmp/copy"), "two\nthree\n");
    EXPECT_EQ(std::fopen("/tmp/none", "r"), nullptr);
    EXPECT_EQ(std::remove("/tmp/copy"), 0);
  });
}

TEST(sim_disk, mapped_files_are_shared_memory) {
  tare::sim::run({}, [](world& w) -> task<> {
    const int fd = open_new("/tmp/shared");
    EXPECT_EQ(::ftruncate(fd, 8192), 0);
    auto* const all = static_cast<char*>(::mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    auto* const second = static_cast<char*>(::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 4096));
    EXPECT_NE(all, MAP_FAILED);
    EXPECT_NE(second, MAP_FAILED);
    if (all == MAP_FAILED || second == MAP_FAILED) co_return;
    second[1] = 'x';
    EXPECT_EQ(all[4097], 'x');
    EXPECT_EQ(w.here().disk().contents("/tmp/shared")->at(4097), 'x');
    EXPECT_EQ(::pwrite(fd, "y", 1, 4098), 1);
    EXPECT_EQ(::close(fd), 0);
    EXPECT_EQ(::unlink("/tmp/shared"), 0);
    EXPECT_EQ(second[2], 'y');
    EXPECT_EQ(::munmap(all, 8192), 0);
    EXPECT_EQ(::munmap(second, 4096), 0);
    co_return;
  });
}

TEST(sim_disk, flock_excludes_and_waits) {
  tare::sim::run_seeds(30, {}, [](world& /*w*/) -> task<> {
    int inside = 0;
    int highest = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i) {
      threads.emplace_back([&] {
        const int fd = open_new("/tmp/lock");
        EXPECT_EQ(::flock(fd, LOCK_EX), 0);
        highest = std::max(highest, ++inside);
        std::this_thread::sleep_for(1s);
        const int other = open_new("/tmp/lock");
        EXPECT_EQ(error_of(::flock(other, LOCK_SH | LOCK_NB)), EWOULDBLOCK);
        EXPECT_EQ(::close(other), 0);
        --inside;
        EXPECT_EQ(::close(fd), 0);
      });
    }
    for (auto& each : threads) each.join();
    EXPECT_EQ(highest, 1);
    const int one = open_new("/tmp/lock");
    const int other = open_new("/tmp/lock");
    EXPECT_EQ(::flock(one, LOCK_SH), 0);
    EXPECT_EQ(::flock(other, LOCK_SH | LOCK_NB), 0);
    EXPECT_EQ(error_of(::flock(other, LOCK_EX | LOCK_NB)), EWOULDBLOCK);
    EXPECT_EQ(::flock(one, LOCK_UN), 0);
    EXPECT_EQ(::flock(other, LOCK_EX | LOCK_NB), 0);
    EXPECT_EQ(::close(one), 0);
    EXPECT_EQ(::close(other), 0);
    co_return;
  });
}

TEST(sim_disk, is_full_at_its_limit) {
  tare::sim::run_seeds(10, {}, [](world& w) -> task<> {
    auto disk = w.here().disk();
    disk.limit_bytes(10);
    const int fd = open_new("/tmp/file");
    EXPECT_EQ(::write(fd, "0123456", 7), 7);
    EXPECT_EQ(::write(fd, "789abc", 6), 3);  // as much as there is room for
    EXPECT_EQ(error_of(static_cast<int>(::write(fd, "x", 1))), ENOSPC);
    EXPECT_EQ(error_of(::ftruncate(fd, 11)), ENOSPC);
    EXPECT_EQ(::pwrite(fd, "X", 1, 0), 1);
    EXPECT_EQ(disk.contents("/tmp/file"), "X123456789");
    EXPECT_EQ(::close(fd), 0);
    EXPECT_EQ(::unlink("/tmp/file"), 0);
    const int next = open_new("/tmp/next");
    EXPECT_EQ(::write(next, "0123456789", 10), 10);
    EXPECT_EQ(::close(next), 0);
    co_return;
  });
}

TEST(sim_disk, fails_when_told) {
  tare::sim::run({}, [](world& w) -> task<> {
    auto disk = w.here().disk();
    const int fd = open_new("/tmp/file");
    disk.fail_writes(1);
    EXPECT_EQ(error_of(static_cast<int>(::write(fd, "x", 1))), EIO);
    EXPECT_EQ(error_of(::ftruncate(fd, 3)), EIO);
    EXPECT_EQ(error_of(::unlink("/tmp/file")), EIO);
    disk.fail_writes(0);
    disk.fail_syncs(1);
    EXPECT_EQ(error_of(::fdatasync(fd)), EIO);
    disk.fail_syncs(0);
    disk.fail_at(disk.calls() + 2);
    EXPECT_EQ(::write(fd, "x", 1), 1);
    EXPECT_EQ(error_of(static_cast<int>(::write(fd, "y", 1))), EIO);
    EXPECT_EQ(::write(fd, "z", 1), 1);
    EXPECT_EQ(disk.contents("/tmp/file"), "xz");
    char byte = 0;
    disk.fail_reads(1);
    EXPECT_EQ(error_of(static_cast<int>(::pread(fd, &byte, 1, 0))), EIO);
    disk.fail_reads(0);
    disk.corrupt("/tmp/file", 0);
    EXPECT_EQ(::pread(fd, &byte, 1, 0), 1);
    EXPECT_EQ(byte, static_cast<char>(~'x'));
    EXPECT_EQ(::close(fd), 0);
    co_return;
  });
}

TEST(sim_disk, explore_fails_each_call_once) {
  tare::sim::explore_options chosen;
  chosen.failed = [] { return ::testing::Test::HasFailure(); };
  std::set<std::string> outcomes;
  const auto seen = tare::sim::explore(chosen, [&outcomes](world& w) -> task<> {
    const int fd = open_new("/tmp/file");
    const bool written = fd >= 0 && write_all(fd, "text");
    const bool synced = written && ::fsync(fd) == 0;
    const bool renamed = synced && ::rename("/tmp/file", "/tmp/other") == 0;
    if (fd >= 0) (void)::close(fd);
    if (!w.fault_may_fail()) {
      EXPECT_TRUE(renamed);
    }
    outcomes.insert(fd < 0 ? "open" : !written ? "write" : !synced ? "sync" : !renamed ? "rename" : "none");
    co_return;
  });
  EXPECT_EQ(seen.files.possible, 4U);
  EXPECT_EQ(seen.files.tried, 4U);
  EXPECT_EQ(outcomes, (std::set<std::string>{"none", "open", "rename", "sync", "write"}));
}

}  // namespace
