// The client for the server of real_servers_test.py: exchanges messages with it, and closes.

#include <tare/http.hpp>
#include <tare/tare.hpp>

#include <cstddef>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

namespace {

namespace http = tare::http;
using tare::task;

/// False, after saying why, if the server sends something else back.
task<bool> exchange(http::websocket& socket, http::websocket::kind kind, std::string_view message) {
  const auto sent = co_await socket.send(kind, message);
  if (!sent) {
    std::printf("send: %s\n", sent.error().message().c_str());
    co_return false;
  }
  const auto got = co_await socket.receive();
  if (!got) {
    std::printf("receive: %s\n", got.error().message().c_str());
    co_return false;
  }
  if (got->data != message || got->kind != kind) std::printf("other data for a message of %zu\n", message.size());
  co_return got->data == message && got->kind == kind;
}

task<bool> talk(std::string url, bool compresses) {
  http::websocket_client_options chosen;
  chosen.socket.compress = compresses;
  chosen.socket.protocols.emplace_back("echo");
  auto socket = co_await http::websocket::connect(std::move(url), std::move(chosen));
  if (!socket) {
    std::printf("connect: %s\n", socket.error().message().c_str());
    co_return false;
  }
  bool good = socket->protocol() == "echo";
  for (const std::size_t size : {0U, 1U, 125U, 126U, 300U, 20'000U, 70'000U, 900'000U}) {
    std::string text;
    while (text.size() < size) text += "gr\xc3\xbc\xc3\x9f ";
    good = co_await exchange(*socket, http::websocket::kind::text, text) && good;
    std::string bytes;
    for (std::size_t i = 0; i < size; ++i) bytes += static_cast<char>(i * 31 % 251);
    good = co_await exchange(*socket, http::websocket::kind::binary, bytes) && good;
  }
  const auto pinged = co_await socket->ping("ping");
  const auto closed = co_await socket->close_and_wait(4001, "done");
  if (!closed) std::printf("close: %s\n", closed.error().message().c_str());
  co_return good && pinged && closed && socket->peer_code() == 4001;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  tare::runtime rt({.io = std::strcmp(argv[3], "io_uring") == 0 ? tare::io_kind::io_uring : tare::io_kind::epoll});
  return rt.run(talk(argv[1], std::strcmp(argv[2], "compress") == 0)) ? 0 : 1;
}
