#include "net/on_reactors.hpp"
#include "sched/shard.hpp"
#include "support/descriptor_limit.hpp"
#include "support/temporary_folder.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace tare::testing;
using support::temporary_folder;
using tare::task;
using tare::net::endpoint;
using tare::net::listener;
using tare::net::stream;

class listener_test : public on_reactors {};
TARE_ON_ALL_REACTORS(listener_test);

task<> say_hello_to(endpoint at, std::atomic<int>& answered) {
  auto s = co_await tare::net::connect(at);
  if (s && (co_await read_all(*s)) == "hello") ++answered;
}

TEST_P(listener_test, accepts_as_many_as_come) {
  run([]() -> task<> {
    auto listening = listener::bind(endpoint::loopback(0)).value();
    const endpoint at = listening.local().value();
    std::atomic<int> answered = 0;
    co_await tare::with_scope([&](tare::scope& s) -> task<> {
      for (int i = 0; i < 200; ++i) s.spawn(say_hello_to(at, answered));
      for (int i = 0; i < 200; ++i) {
        auto client = co_await listening.accept();
        EXPECT_TRUE(co_await client->write(bytes_of("hello")));
      }
    });
    EXPECT_EQ(answered, 200);
  }());
}

TEST_P(listener_test, one_listener_serves_ipv4_and_ipv6) {
  run([]() -> task<> {
    auto listening = listener::bind(endpoint::any(0));
    if (!listening) co_return;  // no IPv6 on this machine
    const std::uint16_t port = listening->local()->port();
    for (const char* address : {"127.0.0.1", "::1"}) {
      auto client = co_await tare::net::connect(endpoint::parse_address(address, port).value());
      EXPECT_TRUE(client.has_value()) << address;
      EXPECT_TRUE((co_await listening->accept()).has_value());
    }
  }());
}

TEST_P(listener_test, listens_on_unix_paths_and_cleans_up) {
  const temporary_folder folder;
  const std::string path = folder.path() / "socket";
  run([](std::string text) -> task<> {
    const endpoint at = endpoint::parse("unix:" + text).value();
    {
      auto listening = listener::bind(at).value();
      EXPECT_EQ(listening.local()->to_string(), "unix:" + text);
      auto client = co_await tare::net::connect(at);
      auto server = co_await listening.accept();
      EXPECT_TRUE(co_await client->write(bytes_of("x")));
      EXPECT_EQ(text_of((co_await server->read())->bytes()), "x");
      EXPECT_EQ(listener::bind(at).error(), std::errc::address_in_use);
    }
    EXPECT_FALSE(std::filesystem::exists(text));
    // A file that a process left behind when it died.
    {
      auto listening = listener::bind(at).value();
      ::close(listening.release());
    }
    EXPECT_TRUE(std::filesystem::exists(text));
    EXPECT_TRUE(listener::bind(at).has_value());
    // A file that is not a socket is kept.
    const std::string file = text + ".txt";
    ::close(::open(file.c_str(), O_CREAT | O_WRONLY, 0600));
    EXPECT_EQ(listener::bind(endpoint::parse("unix:" + file).value()).error(), std::errc::address_in_use);
    EXPECT_TRUE(std::filesystem::exists(file));
    // An abstract address, outside the file system.
    auto abstract = listener::bind(endpoint::parse("unix:@tare-test-" + std::to_string(::getpid())).value());
    EXPECT_TRUE(abstract.has_value());
  }(path));
}

TEST_P(listener_test, tells_why_it_cannot_listen_or_connect) {
  run([]() -> task<> {
    auto listening = listener::bind(endpoint::loopback(0)).value();
    const endpoint at = listening.local().value();
    EXPECT_EQ(listener::bind(at).error(), std::errc::address_in_use);
    listening.close();
    EXPECT_EQ((co_await tare::net::connect(at)).error(), std::errc::connection_refused);
    EXPECT_EQ((co_await tare::net::connect(endpoint::parse("unix:/nonexistent/socket").value())).error(),
              std::errc::no_such_file_or_directory);
  }());
}

TEST_P(listener_test, a_snapshot_tells_that_it_waits_for_a_descriptor) {
  run([]() -> task<> {
    auto listening = listener::bind(endpoint::loopback(0)).value();
    auto accepts = [](listener& from) -> task<> { (void)co_await from.accept(); };
    co_await tare::with_scope([&](tare::scope& s) -> task<> {
      s.spawn(accepts(listening));
      co_await tare::yield();
      const tare::task_snapshot seen = co_await tare::snapshot();
      std::size_t waiting = 0;
      for (const tare::frame_group& each : seen.groups) {
        if (each.waiting_for == tare::awaited::descriptor) waiting += each.count;
      }
      EXPECT_EQ(waiting, 1U);
      s.cancel();
    });
  }());
}

TEST_P(listener_test, closing_ends_a_waiting_accept) {
  run([]() -> task<> {
    auto listening = listener::bind(endpoint::loopback(0)).value();
    std::optional<std::error_code> error;
    co_await tare::with_scope([&](tare::scope& s) -> task<> {
      s.spawn([](listener& from, std::optional<std::error_code>& seen) -> task<> {
        seen = (co_await from.accept()).error();
      }(listening, error));
      co_await tare::sleep_for(2ms);
      listening.close();
    });
    EXPECT_EQ(error, std::errc::operation_canceled);
  }());
}

TEST_P(listener_test, shards_share_a_port) {
  run(
      []() -> task<> {
        // The kernel distributes connections over all sockets that listen on the port.
        auto first = listener::bind(endpoint::loopback(0), {.reuse_port = true}).value();
        const endpoint at = first.local().value();
        std::atomic<int> answered = 0;
        std::array<std::atomic<int>, 2> accepted{};
        auto serve = [](listener own, std::atomic<int>& count) -> task<> {
          for (;;) {
            auto client = co_await own.accept();
            if (!client) co_return;
            ++count;
            (void)co_await client->write(bytes_of("hello"));
          }
        };
        auto serve_there = [&serve, at](std::atomic<int>& count) -> task<> {
          co_await serve(listener::bind(at, {.reuse_port = true}).value(), count);
        };
        co_await tare::with_scope([&](tare::scope& s) -> task<> {
          s.spawn(serve(std::move(first), accepted[0]));
          s.spawn_on(1, serve_there(accepted[1]));
          co_await tare::sleep_for(10ms);
          co_await tare::with_scope([&](tare::scope& clients) -> task<> {
            for (int i = 0; i < 200; ++i) clients.spawn(say_hello_to(at, answered));
            co_return;
          });
          s.cancel();
        });
        EXPECT_EQ(answered, 200);
        EXPECT_GT(accepted[0], 0);
        EXPECT_GT(accepted[1], 0);
      }(),
      options(2));
}

/// A blocking client; the kernel's backlog accepts it without a call to accept.
int plain_client(const endpoint& at) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  EXPECT_EQ(::connect(fd, at.data(), at.size()), 0);
  return fd;
}

TEST_P(listener_test, accepting_pauses_while_there_are_no_descriptors) {
  run([]() -> task<> {
    auto listening = listener::bind(endpoint::loopback(0)).value();
    const endpoint at = listening.local().value();
    std::vector<int> clients;
    for (int i = 0; i < 20; ++i) clients.push_back(plain_client(at));
    std::vector<stream> accepted;
    co_await tare::with_scope([&](tare::scope& s) -> task<> {
      const support::descriptor_limit few(5);
      s.spawn([](listener& from, std::vector<stream>& to) -> task<> {
        while (to.size() < 20) {
          auto client = co_await from.accept();
          EXPECT_TRUE(client.has_value());
          if (!client) co_return;
          to.push_back(std::move(*client));
        }
      }(listening, accepted));
      co_await tare::sleep_for(20ms);
      EXPECT_EQ(accepted.size(), 5U);
      // Waiting costs nothing: the listener does not spin, and no connection is lost.
      timespec before{};
      ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
      co_await tare::sleep_for(250ms);
      timespec after{};
      ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
      const auto spent = (after.tv_sec - before.tv_sec) * 1'000'000'000 + after.tv_nsec - before.tv_nsec;
      EXPECT_LE(spent, 50'000'000);
      EXPECT_EQ(accepted.size(), 5U);
      // Closing a connection makes room immediately, long before the next retry.
      const auto begun = tare::now();
      accepted[0].close();
      while (accepted.size() < 6) co_await tare::yield();
      EXPECT_LT(tare::now() - begun, tare::net::listener::accept_pause);
    });
    // The limit has been lifted without notice, so the others are accepted after a while.
    EXPECT_EQ(accepted.size(), 20U);
    for (std::size_t i = 1; i < accepted.size(); ++i) EXPECT_TRUE(co_await accepted[i].write(bytes_of("hello")));
    for (const int fd : clients) ::close(fd);
  }());
}

TEST_P(listener_test, a_client_without_descriptors_gets_an_error) {
  run([]() -> task<> {
    auto listening = listener::bind(endpoint::loopback(0)).value();
    const endpoint at = listening.local().value();
    const support::descriptor_limit none(0);
    EXPECT_EQ((co_await tare::net::connect(at)).error(), std::errc::too_many_files_open);
    EXPECT_EQ(listener::bind(endpoint::loopback(0)).error(), std::errc::too_many_files_open);
    EXPECT_EQ(stream::pair().error(), std::errc::too_many_files_open);
  }());
}

TEST_P(listener_test, a_reactor_that_cannot_be_made_is_an_error) {
  const support::descriptor_limit none(0);
  run([]() -> task<> {
    EXPECT_EQ(listener::bind(endpoint::loopback(0)).error(), std::errc::too_many_files_open);
    EXPECT_EQ((co_await tare::net::wait_readable(0)).error(), std::errc::too_many_files_open);
  }());
}

TEST_P(listener_test, adopts_a_socket_that_listens_already) {
  run([]() -> task<> {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const endpoint any_port = endpoint::loopback(0);
    EXPECT_EQ(::bind(fd, any_port.data(), any_port.size()), 0);
    EXPECT_EQ(::listen(fd, 10), 0);
    auto listening = listener::adopt(fd).value();
    auto client = co_await tare::net::connect(listening.local().value());
    EXPECT_TRUE(client.has_value());
    EXPECT_TRUE((co_await listening.accept()).has_value());
  }());
}

TEST_P(listener_test, no_connection_is_lost_for_want_of_memory) {
  run([]() -> task<> {
    auto listening = listener::bind(endpoint::loopback(0)).value();
    std::vector<stream> accepted;
    for (int i = 0; i < 400; ++i) {
      const int client = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      const endpoint at = listening.local().value();
      EXPECT_EQ(::connect(client, at.data(), at.size()), 0);
      // The first allocation in the await fails; sometimes this is the allocation of slots.
      tare::detail::shard::current().frames().fail_at(1);
      auto got = co_await listening.accept();
      tare::detail::shard::current().frames().fail_at(0);
      EXPECT_TRUE(got.has_value()) << "connection " << i << ": " << got.error().message();
      if (got) accepted.push_back(std::move(*got));
      ::close(client);
    }
    EXPECT_EQ(accepted.size(), 400U);
  }());
}

TEST_P(listener_test, takes_an_address_that_is_about_to_be_free) {
  run([]() -> task<> {
    const int before = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(before, reinterpret_cast<const sockaddr*>(&at), sizeof(at)), 0);
    EXPECT_EQ(::listen(before, 1), 0);
    socklen_t size = sizeof(at);
    EXPECT_EQ(::getsockname(before, reinterpret_cast<sockaddr*>(&at), &size), 0);
    const auto where = endpoint::loopback(ntohs(at.sin_port));
    EXPECT_EQ(listener::bind(where).error(), std::errc::address_in_use);
    std::jthread closing([before] {
      std::this_thread::sleep_for(20ms);
      ::close(before);
    });
    const auto bound = listener::bind(where);
    // Only io_uring retries: with epoll, descriptors are closed together with their process.
    EXPECT_EQ(bound.has_value(), GetParam() == tare::io_kind::io_uring);
    co_return;
  }());
}

}  // namespace
