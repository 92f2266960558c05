#pragma once

// A client that uses none of the runtime's memory: a plain socket, which the test's task checks from time to time.

#include <tare/tare.hpp>

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace tare::test {

class system_client {
 public:
  explicit system_client(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(port);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd_ < 0 || ::connect(fd_, reinterpret_cast<const sockaddr*>(&at), sizeof(at)) != 0) {
      throw std::runtime_error("cannot connect");
    }
  }
  system_client(system_client&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), text_(std::move(other.text_)), ended_(other.ended_) {}
  system_client& operator=(system_client&&) = delete;
  system_client(const system_client&) = delete;
  system_client& operator=(const system_client&) = delete;
  ~system_client() {
    if (fd_ >= 0) ::close(fd_);
  }

  [[nodiscard]] int native_handle() const noexcept { return fd_; }

  /// Sends as much as the system accepts; false if that is not all.
  bool send(std::string_view text) {
    return ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT) == static_cast<ssize_t>(text.size());
  }

  /// Receives what has arrived, and appends it to `text()`.
  void look() {
    std::array<char, 4096> piece{};
    for (;;) {
      const ssize_t got = ::recv(fd_, piece.data(), piece.size(), MSG_DONTWAIT);
      if (got > 0) {
        text_.append(piece.data(), static_cast<std::size_t>(got));
        continue;
      }
      ended_ = ended_ || got == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
      return;
    }
  }
  [[nodiscard]] const std::string& text() const noexcept { return text_; }
  /// True if the server has closed the connection.
  [[nodiscard]] bool has_ended() {
    look();
    return ended_;
  }
  /// The status of the last response; 0 if there is none.
  [[nodiscard]] unsigned status() const {
    const std::size_t at = text_.rfind("HTTP/1.1 ");
    return at == std::string::npos || text_.size() < at + 12
               ? 0
               : static_cast<unsigned>(std::stoul(text_.substr(at + 9, 3)));
  }

  /// Sends the request and waits for a response or the end. True if the status is 200.
  task<bool> answers(std::string_view request, std::chrono::milliseconds patience = std::chrono::seconds(2)) {
    text_.clear();
    send(request);
    for (auto waited = std::chrono::milliseconds(0); waited < patience; ++waited) {
      look();
      if (status() != 0 || ended_) break;
      co_await sleep_for(std::chrono::milliseconds(1));
    }
    co_return status() == 200;
  }

 private:
  int fd_;
  std::string text_;
  bool ended_ = false;
};

}  // namespace tare::test
