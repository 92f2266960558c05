#pragma once

// A PostgreSQL server that follows a script: it implements as much of the protocol as the tests need, and stops, dies
// or lies wherever a test wants it to.

#include <tare/net.hpp>
#include <tare/tare.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace db_test {

using tare::task;

inline std::string number(std::uint32_t value) {
  std::string text;
  for (const unsigned shift : {24U, 16U, 8U, 0U}) text += static_cast<char>(value >> shift);
  return text;
}
inline std::string message(char kind, const std::string& body) {
  return kind + number(static_cast<std::uint32_t>(body.size() + 4)) + body;
}
inline std::string error_message(const std::string& state, const std::string& text) {
  const std::string nul(1, '\0');
  return message('E', "SFATAL" + nul + "VFATAL" + nul + "C" + state + nul + "M" + text + nul + nul);
}

class scripted_postgresql {
 public:
  /// A connection from a client.
  class peer {
   public:
    explicit peer(tare::net::stream over) noexcept : over_(std::move(over)) {}

    /// Empty at the end of the connection.
    task<std::string> bytes(std::size_t count) {
      while (unread_.size() < count) {
        auto got = co_await over_.read();
        if (!got || got->empty()) co_return std::string();
        unread_.append(reinterpret_cast<const char*>(got->bytes().data()), got->size());
      }
      std::string text = unread_.substr(0, count);
      unread_.erase(0, count);
      co_return text;
    }
    task<> send(std::string_view text) { (void)co_await over_.write(std::as_bytes(std::span(text))); }
    void close() noexcept { over_.close(); }

    /// The type of the next message; 0 at the end.
    task<char> next() {
      const std::string head = co_await bytes(5);
      if (head.empty()) co_return '\0';
      std::uint32_t size = 0;
      for (int i = 1; i < 5; ++i) size = size << 8U | static_cast<unsigned char>(head[static_cast<std::size_t>(i)]);
      if (size > 4) (void)co_await bytes(size - 4);
      co_return head[0];
    }
    /// The responses to all messages up to a synchronization point; the caller must send them. Empty at the end of the
    /// connection.
    task<std::string> statement() {
      std::string responses;
      for (;;) {
        const char kind = co_await next();
        if (kind == '\0' || kind == 'X') co_return std::string();
        if (kind == 'P') responses += message('1', "");
        if (kind == 'B') responses += message('2', "");
        if (kind == 'D') responses += message('n', "");
        if (kind == 'E') responses += message('C', std::string("SELECT 0") + '\0');
        if (kind == 'Q') responses += message('C', std::string("RESET") + '\0');
        if (kind == 'S' || kind == 'Q') co_return responses + message('Z', "I");
      }
    }
    task<> serve() {
      for (;;) {
        const std::string responses = co_await statement();
        if (responses.empty()) co_return;
        co_await send(responses);
      }
    }

   private:
    tare::net::stream over_;
    std::string unread_;
  };

  /// What to do with the n-th session after its startup message, counted from 0, and with cancel requests.
  std::function<task<>(peer&, int)> on_session = [](peer& of, int /*number*/) -> task<> {
    co_await of.send(welcome());
    co_await of.serve();
  };
  std::function<task<>(peer&)> on_cancel = [](peer& /*of*/) -> task<> { co_return; };

  scripted_postgresql() {
    auto bound = tare::net::listener::bind(tare::net::endpoint::loopback(0));
    if (!bound) throw std::runtime_error("bind: " + bound.error().message());
    listening_ = std::move(*bound);
  }

  [[nodiscard]] std::string uri() const {
    return "postgresql://u:secret@127.0.0.1:" + std::to_string(listening_.local()->port()) +
           "/d?sslmode=disable&gssencmode=disable";
  }
  /// The login has succeeded; the session's key is 4711 and 0xdeadbeef.
  [[nodiscard]] static std::string welcome() {
    return message('R', number(0)) + message('K', number(4711) + number(0xdeadbeef)) + message('Z', "I");
  }

  task<> serve_while(task<> use) { co_await tare::when_any(serve(), std::move(use)); }

  int sessions = 0;
  int cancels = 0;
  int cancels_now = 0;
  int max_cancels = 0;
  std::string last_cancel;  ///< the key in it

 private:
  task<> serve() {
    co_await tare::with_scope([this](tare::scope& connections) -> task<> {
      for (;;) {
        auto accepted = co_await listening_.accept();
        if (!accepted) co_return;
        connections.spawn(serve_one(std::move(*accepted)));
      }
    });
  }

  task<> serve_one(tare::net::stream accepted) {
    peer client(std::move(accepted));
    const std::string head = co_await client.bytes(8);
    if (head.empty()) co_return;
    const std::size_t size = static_cast<unsigned char>(head[3]);
    const std::string rest = co_await client.bytes(size - 8);
    if (head.substr(4) != number(80877102)) co_return co_await on_session(client, sessions++);
    last_cancel = rest;
    ++cancels;
    max_cancels = std::max(max_cancels, ++cancels_now);
    try {
      co_await on_cancel(client);
    } catch (const tare::cancelled&) {
      --cancels_now;
      throw;
    }
    --cancels_now;
  }

  tare::net::listener listening_;
};

}  // namespace db_test
