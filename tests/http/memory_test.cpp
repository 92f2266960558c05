// The weight of an idle connection, and of a request whose handler waits, according to the kernel's figures for this
// process. The clients are plain sockets, which weigh nothing here.

#include "http/loopback.hpp"
#include "support/own_memory.hpp"

#include <gtest/gtest.h>

#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iostream>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using tare::task;

#if defined(__clang__)
constexpr double max_bytes = 88;
constexpr double max_waiting_bytes = 520;
constexpr double max_discarded_bytes = 430;
constexpr double max_poll_bytes = 400;
#else
// g++ 12 keeps a handle to the coroutine itself and every local in the frame.
constexpr double max_bytes = 215;
constexpr double max_waiting_bytes = 900;
constexpr double max_discarded_bytes = 800;
constexpr double max_poll_bytes = 800;
#endif

// An idle shard returns memory within a few hundredths of a second.
constexpr auto calm = std::chrono::milliseconds(300);

constexpr std::size_t few = 100;
constexpr std::size_t many = 8000;

/// Blocking connections to a port of this process.
class bare_clients {
 public:
  explicit bare_clients(std::uint16_t port) : port_(port), sockets_(many, -1) {}
  bare_clients(const bare_clients&) = delete;
  bare_clients& operator=(const bare_clients&) = delete;
  ~bare_clients() {
    for (const int fd : sockets_) {
      if (fd >= 0) ::close(fd);
    }
  }

  [[nodiscard]] bool connect_one() {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return false;
    sockets_[count_++] = fd;
    const auto to = tare::net::endpoint::loopback(port_);
    return ::connect(fd, to.data(), to.size()) == 0;
  }

  void ask_all() const {
    for (std::size_t i = 0; i < count_; ++i) ask(sockets_[i]);
  }
  void ask_newest() const { ask(sockets_[count_ - 1]); }

  void take_answers() const {
    for (std::size_t i = 0; i < count_; ++i) {
      std::array<char, 512> response{};
      const ssize_t got = ::recv(sockets_[i], response.data(), response.size(), 0);
      EXPECT_TRUE(std::string_view(response.data(), static_cast<std::size_t>(got)).ends_with("\r\n\r\nhello"));
    }
  }

  [[nodiscard]] std::size_t count() const noexcept { return count_; }

 private:
  static void ask(int socket) {
    constexpr std::string_view request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    EXPECT_EQ(::send(socket, request.data(), request.size(), 0), static_cast<ssize_t>(request.size()));
  }

  std::uint16_t port_;
  std::size_t count_ = 0;
  std::vector<int> sockets_;
};

/// A frame of its own, which does not exist while the request waits.
task<> respond(tare::http::response& to, tare::http::polled with) {
  if (with) (void)co_await to.send("text/plain", with.data());
}

class http_memory : public tare::test::http_test {
 protected:
  void SetUp() override {
    rlimit files{};
    ::getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
    if (files.rlim_cur < 2 * many + 100) GTEST_SKIP() << "not enough descriptors: ulimit -n is " << files.rlim_cur;
  }

  static task<> grow_to(bare_clients& clients, const tare::http::server& serving, std::size_t count) {
    while (clients.count() < count) {
      for (int i = 0; i < 100; ++i) EXPECT_TRUE(clients.connect_one());
      while (serving.connections() < clients.count()) co_await tare::sleep_for(std::chrono::milliseconds(1));
    }
  }

  /// The bytes of a request whose handler waits for an event.
  static double waiting_request(bool discarded) {
    tare::event gate;
    auto wait = [&gate, discarded](tare::http::request& request, tare::http::response& response) -> task<> {
      if (discarded) request.discard();
      co_await gate.wait();
      (void)co_await response.send("text/plain", "hello");
    };
    return weigh(wait, [&] { gate.set(); });
  }

  /// The bytes of a request whose handler waits until `release` is called.
  static double weigh(tare::http::handler wait, const std::function<void()>& release) {
    double weight = 0;
    with_server(std::move(wait), {}, [&](tare::http::server& serving, std::uint16_t port) -> task<> {
      bare_clients clients(port);
      double at_few = 0;
      for (const std::size_t count : {few, many}) {
        while (clients.count() < count) {
          for (int i = 0; i < 100; ++i) {
            EXPECT_TRUE(clients.connect_one());
            clients.ask_newest();
          }
          while (serving.active_requests() < clients.count()) co_await tare::sleep_for(std::chrono::milliseconds(1));
        }
        co_await tare::sleep_for(calm);
        if (count == few) at_few = support::anonymous_bytes();
      }
      weight = (support::anonymous_bytes() - at_few) / static_cast<double>(many - few);
      release();
      while (serving.active_requests() != 0) co_await tare::sleep_for(std::chrono::milliseconds(1));
      clients.take_answers();
    });
    return weight;
  }
};

TEST_P(http_memory, an_idle_connection_weighs_88_bytes_before_and_after_a_burst) {
  auto hello = [](tare::http::request& /*request*/, tare::http::response& response) -> task<> {
    (void)co_await response.send("text/plain", "hello");
  };
  with_server(hello, {}, [](tare::http::server& serving, std::uint16_t port) -> task<> {
    bare_clients clients(port);
    const auto burst = [&]() -> task<> {
      const std::uint64_t before = serving.requests();
      clients.ask_all();
      while (serving.requests() < before + clients.count()) co_await tare::sleep_for(std::chrono::milliseconds(1));
      clients.take_answers();
    };
    co_await grow_to(clients, serving, few);
    co_await burst();
    co_await tare::sleep_for(calm);  // not in `burst`, whose frame must be gone
    const double at_few = support::anonymous_bytes();
    co_await grow_to(clients, serving, many);
    co_await tare::sleep_for(calm);
    const double fresh = (support::anonymous_bytes() - at_few) / static_cast<double>(many - few);
    co_await burst();
    co_await tare::sleep_for(calm);
    const double after = (support::anonymous_bytes() - at_few) / static_cast<double>(many - few);
    std::cout << "bytes per idle connection: " << fresh << ", after a request on each: " << after << "\n";
    EXPECT_LE(fresh, max_bytes);
    EXPECT_LE(after, max_bytes);
    // Memory is resident in pages, and a slab that also holds anything else keeps the pages that a burst has touched.
    // In total that is less than a word per connection.
    constexpr double pages = 8 * 4096 / static_cast<double>(many - few);
    static_assert(pages < sizeof(void*));
    EXPECT_NEAR(after, fresh, pages);
  });
}

TEST_P(http_memory, a_waiting_request_holds_its_head_and_little_else) {
  const double weight = waiting_request(false);
  std::cout << "bytes per waiting request: " << weight << "\n";
  EXPECT_LE(weight, max_waiting_bytes);
}

TEST_P(http_memory, a_waiting_request_that_has_discarded_its_head) {
  const double weight = waiting_request(true);
  std::cout << "bytes per waiting request without its head: " << weight << "\n";
  EXPECT_LE(weight, max_discarded_bytes);
}

TEST_P(http_memory, a_long_poll) {
  std::optional<tare::http::topic> news;
  auto wait = [&news](tare::http::request& request, tare::http::response& response) -> task<> {
    if (!news) news.emplace();
    const auto known = request.fields().find("last-event-id").value_or("");
    auto next = co_await news->wait_for(request, known, std::chrono::minutes(10));
    co_await respond(response, std::move(next));
  };
  const double weight = weigh(wait, [&] { EXPECT_TRUE(news->publish("hello")); });
  std::cout << "bytes per long poll: " << weight << "\n";
  EXPECT_LE(weight, max_poll_bytes);
}

TARE_ON_ALL_REACTORS(http_memory);

}  // namespace
