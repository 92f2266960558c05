// The weight of an idle connection in the process that holds it. The clients are in another process.

#include "net/on_reactors.hpp"
#include "support/own_memory.hpp"

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <vector>

namespace {

using namespace tare::testing;
using support::resident_bytes;
using tare::task;
using tare::net::endpoint;
using tare::net::listener;
using tare::net::stream;

#if defined(__clang__)
constexpr bool compact_frames = true;
#else
constexpr bool compact_frames = false;
#endif

/// Connections that a child process opens and holds. Commands: 'o' and a count opens, 's' sends a byte on each and
/// reads one back, 'c' closes all. It responds with one byte when a command has finished.
class clients {
 public:
  explicit clients(std::uint16_t port) {
    std::array<int, 2> ends{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()), 0);
    child_ = ::fork();
    if (child_ == 0) {
      ::close(ends[0]);
      serve(ends[1], endpoint::loopback(port));
    }
    ::close(ends[1]);
    control_ = ends[0];
  }
  ~clients() {
    ::close(control_);
    ::waitpid(child_, nullptr, 0);
  }
  clients(const clients&) = delete;
  clients& operator=(const clients&) = delete;

  void begin(char what, int count = 0) const {
    const std::array<int, 2> order{what, count};
    EXPECT_EQ(::write(control_, order.data(), sizeof(order)), static_cast<ssize_t>(sizeof(order)));
  }
  [[nodiscard]] task<> done() const {
    EXPECT_TRUE(co_await tare::net::wait_readable(control_));
    char response = 0;
    EXPECT_EQ(::read(control_, &response, 1), 1);
    EXPECT_EQ(response, 'k');
  }

 private:
  [[noreturn]] static void serve(int control, const endpoint& at) {
    std::vector<int> open;
    std::array<int, 2> order{};
    while (::read(control, order.data(), sizeof(order)) == static_cast<ssize_t>(sizeof(order))) {
      bool right = true;
      if (order[0] == 'o') {
        for (int i = 0; i < order[1]; ++i) {
          open.push_back(::socket(AF_INET, SOCK_STREAM, 0));
          right = right && ::connect(open.back(), at.data(), at.size()) == 0;
        }
      } else if (order[0] == 's') {
        char byte = 's';
        for (const int fd : open) right = right && ::send(fd, &byte, 1, 0) == 1;
        for (const int fd : open) right = right && ::recv(fd, &byte, 1, 0) == 1;
      } else {
        for (const int fd : open) ::close(fd);
        open.clear();
      }
      const char response = right ? 'k' : 'e';
      if (::write(control, &response, 1) != 1) break;
    }
    ::_exit(0);
  }

  pid_t child_ = -1;
  int control_ = -1;
};

task<bool> answer(stream& s, tare::net::lease got) { co_return (co_await s.write(got.bytes())).has_value(); }

/// Idle in `read()`.
task<> echo(stream s) {
  for (;;) {
    auto got = co_await s.read();
    if (!got || got->empty() || !co_await answer(s, std::move(*got))) co_return;
  }
}

task<bool> echo_once(stream& s) {
  auto got = co_await s.read();
  if (!got || got->empty()) co_return false;
  co_return co_await answer(s, std::move(*got));
}

/// Idle in `readable()`.
task<> thin_echo(stream s) {
  for (;;) {
    const auto ready = co_await s.readable();
    if (!ready) co_return;
    const bool answered = co_await echo_once(s);
    if (!answered) co_return;
  }
}

task<> accept(listener& from, int count, task<> (*serve)(stream)) {
  for (int i = 0; i < count; ++i) {
    auto accepted = co_await from.accept();
    EXPECT_TRUE(accepted.has_value());
    if (accepted) tare::spawn(serve(std::move(*accepted)));
  }
}

struct weights {
  double idle = 0;         ///< bytes per connection
  double after_burst = 0;  ///< the same after each has been used once
  double left = 0;         ///< above the start, after all have been closed
};

task<weights> weigh(const clients& others, listener& from, task<> (*serve)(stream)) {
  constexpr int few = 100;
  constexpr int many = 15'000;
  weights found;
  const double at_start = resident_bytes();
  others.begin('o', few);
  co_await accept(from, few, serve);
  co_await others.done();
  others.begin('s');  // from now on, what the shard keeps for busy connections is included
  co_await others.done();
  const double first = resident_bytes();
  others.begin('o', many - few);
  co_await accept(from, many - few, serve);
  co_await others.done();
  co_await tare::sleep_for(50ms);
  found.idle = (resident_bytes() - first) / (many - few);
  others.begin('s');
  co_await others.done();
  co_await tare::sleep_for(50ms);
  found.after_burst = (resident_bytes() - first) / (many - few);
  others.begin('c');
  co_await others.done();
  co_await tare::sleep_for(300ms);
  found.left = resident_bytes() - at_start;
  co_return found;
}

class connection_memory : public on_reactors {
 protected:
  static void expect(const char* name, task<> (*serve)(stream), double most) {
    rlimit descriptors{};
    ::getrlimit(RLIMIT_NOFILE, &descriptors);
    descriptors.rlim_cur = descriptors.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &descriptors);
    if (descriptors.rlim_cur < 15'100) GTEST_SKIP() << "this process cannot have 15,100 descriptors";

    tare::runtime rt(options());
    std::optional<listener> listening;
    rt.run([](std::optional<listener>& made) -> task<> {
      made = listener::bind(endpoint::loopback(0)).value();
      co_return;
    }(listening));
    const clients held(listening->local()->port());
    const weights found = rt.run(weigh(held, *listening, serve));
    listening.reset();

    std::printf("%s: idle %.1f, after a burst %.1f bytes per connection; %.0f bytes left\n", name, found.idle,
                found.after_burst, found.left);
    EXPECT_LE(found.idle, most);
    EXPECT_LE(found.after_burst, found.idle * 1.02);
    EXPECT_LE(found.left, 1e6);
  }
};
TARE_ON_ALL_REACTORS(connection_memory);

TEST_P(connection_memory, idle_in_read) { expect("in read()", &echo, compact_frames ? 74 : 250); }
TEST_P(connection_memory, idle_in_readable) { expect("in readable()", &thin_echo, compact_frames ? 74 : 250); }

}  // namespace
