// Whatever requests the poller has in progress for a descriptor: when it is closed, the peer sees the end.

#include "io/reactor.hpp"
#include "net/on_reactors.hpp"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <functional>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace tare::testing;
using tare::task;
using tare::detail::reactor;
using tare::net::stream;

/// The other end of a stream, using plain system calls.
class peer {
 public:
  explicit peer(int fd) noexcept : fd_(fd) {}
  peer(peer&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  peer& operator=(peer&&) = delete;
  peer(const peer&) = delete;
  peer& operator=(const peer&) = delete;
  ~peer() { close(); }

  void send_byte() const { EXPECT_EQ(::send(fd_, "x", 1, MSG_NOSIGNAL), 1); }
  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  /// True if the other end has been closed.
  [[nodiscard]] bool saw_end() const {
    std::array<char, 16> into{};
    for (;;) {
      const ssize_t got = ::recv(fd_, into.data(), into.size(), MSG_DONTWAIT);
      if (got > 0) continue;
      return got == 0 || errno != EAGAIN;
    }
  }

 private:
  int fd_;
};

struct parked {
  stream here;
  peer there;
};

[[nodiscard]] parked make_pair() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) throw std::bad_alloc();
  return {.here = stream::adopt(ends[0]).value(), .there = peer(ends[1])};
}

/// Runs work on another thread, while the calling thread spins without a system call, so that the kernel's reports to
/// it stay pending.
class helper {
 public:
  helper()
      : thread_([this] {
          for (;;) {
            asked_.wait(false, std::memory_order_acquire);
            if (!work_) return;
            work_();
            asked_.store(false, std::memory_order_release);
          }
        }) {}
  ~helper() {
    work_ = nullptr;
    ask();
  }
  helper(const helper&) = delete;
  helper& operator=(const helper&) = delete;

  void run(std::function<void()> work) {
    work_ = std::move(work);
    ask();
    while (asked_.load(std::memory_order_acquire)) {
    }
  }

 private:
  void ask() {
    asked_.store(true, std::memory_order_release);
    asked_.notify_one();
  }

  std::function<void()> work_;
  std::atomic<bool> asked_ = false;
  std::jthread thread_;
};

task<> read_once(stream& from) { (void)co_await from.readable(); }

/// Waits until all peers have seen the end, but no longer than loopback ever takes.
task<std::size_t> count_open(const std::vector<parked>& all) {
  std::size_t open = all.size();
  for (int i = 0; i < 2000 && open != 0; ++i) {
    open = static_cast<std::size_t>(std::ranges::count_if(all, [](const parked& p) { return !p.there.saw_end(); }));
    if (open != 0) co_await tare::sleep_for(1ms);
  }
  co_return open;
}

class closing_test : public on_reactors {};
TARE_ON_ALL_REACTORS(closing_test);

/// The state of a stream, possibly with a waiting task, before it is closed.
enum class stage : std::uint8_t {
  unasked,       ///< no task waits
  asked,         ///< the poller has not submitted the request to the kernel yet
  armed,         ///< the kernel has the request, but nothing has happened
  on_its_way,    ///< something has happened, but the kernel has not reported it yet
  peer_gone,     ///< the same for the end
  reported,      ///< the kernel has reported it, but the poller has not read the report yet
  queued,        ///< the waiting task is about to be resumed
  resumed,       ///< the waiting task has been resumed
  given_up,      ///< the waiting task has been cancelled
  new_event,     ///< after one event has been processed, another is pending
  all_of_these,  ///< the number of stages
};

task<> bring_to(stage wanted, parked& parked, helper& elsewhere, tare::scope& readers) {
  if (wanted == stage::unasked) co_return;
  if (wanted == stage::given_up) {
    (void)co_await tare::timeout(2ms, parked.here.readable());
    co_return;
  }
  readers.spawn(read_once(parked.here));
  co_await tare::yield();
  if (wanted == stage::asked) co_return;
  co_await tare::sleep_for(2ms);
  switch (wanted) {
    case stage::on_its_way:
      elsewhere.run([&] { parked.there.send_byte(); });
      break;
    case stage::peer_gone:
      elsewhere.run([&] { ::shutdown(parked.here.native_handle(), SHUT_RD); });
      break;
    case stage::reported:
      elsewhere.run([&] { parked.there.send_byte(); });
      (void)::syscall(SYS_getppid);
      break;
    case stage::queued:
      parked.there.send_byte();
      reactor::if_any()->poll();
      break;
    case stage::resumed:
      parked.there.send_byte();
      co_await tare::sleep_for(2ms);
      break;
    case stage::new_event:
      parked.there.send_byte();
      co_await tare::sleep_for(2ms);
      elsewhere.run([&] { parked.there.send_byte(); });
      break;
    default:
      break;
  }
}

TEST_P(closing_test, the_peer_sees_the_end_at_every_stage) {
  run([]() -> task<> {
    helper elsewhere;
    for (int at = 0; at < static_cast<int>(stage::all_of_these); ++at) {
      for (int round = 0; round < 10; ++round) {
        std::vector<parked> vector;
        vector.push_back(make_pair());
        co_await tare::with_scope([&](tare::scope& readers) -> task<> {
          co_await bring_to(static_cast<stage>(at), vector.front(), elsewhere, readers);
          vector.front().here.close();
        });
        const std::size_t open = co_await count_open(vector);
        EXPECT_EQ(open, 0U) << "stage " << at << ", round " << round;
      }
    }
    co_await tare::sleep_for(2ms);
    EXPECT_EQ(reactor::if_any()->slots().size(), 0U);
  }());
}

TEST_P(closing_test, of_ten_thousand_closed_while_events_are_on_their_way_none_stays_open) {
  run([]() -> task<> {
    constexpr int rounds = 250;
    constexpr int at_once = 40;
    helper elsewhere;
    std::size_t open = 0;
    for (int round = 0; round < rounds; ++round) {
      std::vector<parked> all;
      for (int i = 0; i < at_once; ++i) all.push_back(make_pair());
      co_await tare::with_scope([&](tare::scope& readers) -> task<> {
        for (parked& each : all) readers.spawn(read_once(each.here));
        // Two rounds of the loop, so that the kernel has all requests.
        for (int i = 0; i < 140; ++i) co_await tare::yield();
        elsewhere.run([&] {
          for (const parked& each : all) each.there.send_byte();
        });
        for (parked& each : all) each.here.close();
      });
      open += co_await count_open(all);
    }
    EXPECT_EQ(open, 0U);
    co_await tare::sleep_for(2ms);
    EXPECT_EQ(reactor::if_any()->slots().size(), 0U);
  }());
}

TEST_P(closing_test, more_than_the_kernel_takes_at_once) {
  run([]() -> task<> {
    constexpr int count = 1000;
    std::vector<parked> all;
    for (int i = 0; i < count; ++i) all.push_back(make_pair());
    co_await tare::with_scope([&](tare::scope& readers) -> task<> {
      for (parked& each : all) readers.spawn(read_once(each.here));
      co_await tare::yield();
      for (parked& each : all) each.here.close();
    });
    const std::size_t open = co_await count_open(all);
    EXPECT_EQ(open, 0U);
    EXPECT_EQ(reactor::if_any()->slots().size(), 0U);
  }());
}

TEST_P(closing_test, descriptors_that_are_released_are_the_callers_to_close) {
  run([]() -> task<> {
    helper elsewhere;
    for (const bool event_pends : {false, true}) {
      std::vector<parked> vector;
      vector.push_back(make_pair());
      int released = -1;
      co_await tare::with_scope([&](tare::scope& readers) -> task<> {
        co_await bring_to(event_pends ? stage::on_its_way : stage::armed, vector.front(), elsewhere, readers);
        released = vector.front().here.release();
      });
      EXPECT_FALSE(vector.front().there.saw_end());
      ::close(released);
      const std::size_t open = co_await count_open(vector);
      EXPECT_EQ(open, 0U);
    }
  }());
}

TEST_P(closing_test, foreign_descriptors_end_with_their_owners_close) {
  run([]() -> task<> {
    helper elsewhere;
    for (int at = 0; at < 3; ++at) {
      std::array<int, 2> ends{};
      EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
      const peer there(ends[1]);
      co_await tare::with_scope([&](tare::scope& waiting) -> task<> {
        waiting.spawn([](int fd) -> task<> { (void)co_await tare::net::wait_readable(fd); }(ends[0]));
        co_await tare::yield();
        if (at > 0) co_await tare::sleep_for(2ms);
        if (at > 1) elsewhere.run([&] { there.send_byte(); });
        waiting.cancel();
      });
      ::close(ends[0]);
      for (int i = 0; i < 2000 && !there.saw_end(); ++i) co_await tare::sleep_for(1ms);
      EXPECT_TRUE(there.saw_end()) << "state " << at;
    }
    co_await tare::sleep_for(2ms);
    EXPECT_EQ(reactor::if_any()->slots().size(), 0U);
  }());
}

TEST_P(closing_test, streams_that_outlive_their_runtime) {
  std::vector<parked> all;
  {
    tare::runtime rt(options());
    rt.run([](std::vector<parked>& made) -> task<> {
      for (int i = 0; i < 10; ++i) made.push_back(make_pair());
      for (parked& each : made) tare::spawn(read_once(each.here));
      co_await tare::sleep_for(2ms);
      for (const parked& each : made) each.there.send_byte();
    }(all));
  }
  for (parked& each : all) {
    EXPECT_FALSE(each.there.saw_end());
    each.here.close();
    EXPECT_TRUE(each.there.saw_end());
  }
}

TEST_P(closing_test, by_another_thread_than_the_one_that_waited) {
  tare::runtime rt(options());
  std::vector<parked> all;
  std::thread([&] {
    rt.run([](std::vector<parked>& made) -> task<> {
      for (int i = 0; i < 10; ++i) made.push_back(make_pair());
      for (parked& each : made) tare::spawn(read_once(each.here));
      co_await tare::sleep_for(2ms);
    }(all));
  }).join();
  for (std::size_t i = 0; i < all.size(); i += 2) all[i].there.send_byte();
  rt.run([](std::vector<parked>& waited) -> task<> {
    for (parked& each : waited) each.here.close();
    const std::size_t open = co_await count_open(waited);
    EXPECT_EQ(open, 0U);
  }(all));
}

// From now on the kernel refuses calls that only submit requests, but not those that also wait. A kernel that is short
// of memory, or has no room for completions, does the same.
void forbid_submitting() {
  std::array filter{
      sock_filter BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_enter, 0, 3),
      sock_filter BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args) + 3 * sizeof(std::uint64_t)),
      sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1),
      sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EBUSY),
      sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{.len = filter.size(), .filter = filter.data()};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) std::_Exit(3);
  if (::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) std::_Exit(4);
}

task<bool> close_while_submitting_fails() {
  std::vector<parked> all;
  const auto add = [&](tare::scope& readers, int count) {
    for (int i = 0; i < count; ++i) all.push_back(make_pair());
    for (auto it = all.end() - count; it != all.end(); ++it) readers.spawn(read_once(it->here));
  };
  all.reserve(400);
  co_await tare::with_scope([&](tare::scope& readers) -> task<> {
    add(readers, 200);
    co_await tare::sleep_for(2ms);
    forbid_submitting();
    // The kernel does not get these requests; for the last ones, even the ring has no room.
    add(readers, 200);
    co_await tare::yield();
    for (int i = 0; i < 300; ++i) all[static_cast<std::size_t>(i)].here.close();
    // All descriptors that were not closed report their events.
    for (int i = 300; i < 400; ++i) all[static_cast<std::size_t>(i)].there.send_byte();
  });
  for (int i = 300; i < 400; ++i) all[static_cast<std::size_t>(i)].here.close();
  const std::size_t open = co_await count_open(all);
  co_await tare::sleep_for(5ms);
  co_return open == 0 && reactor::if_any()->slots().size() == 0;
}

[[noreturn]] void try_to_close_while_submitting_fails() {
  tare::runtime rt({.io = tare::io_kind::io_uring});
  const bool right = rt.run([]() -> task<bool> {
    const auto ended = co_await tare::timeout(10s, close_while_submitting_fails());
    co_return ended.has_value() && *ended;
  }());
  std::_Exit(right ? 0 : 1);
}

TEST(closing_under_io_uring, the_peer_sees_the_end_although_submissions_fail) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(try_to_close_while_submitting_fails(), ::testing::ExitedWithCode(0), "");
}

}  // namespace
