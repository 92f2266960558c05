// After the handshake, when OpenSSL has been freed at our end. The other end is OpenSSL itself, in a thread that
// blocks, and it sends what no well-behaved application would make it send.

#include "net/on_reactors.hpp"
#include "net/tls_contexts.hpp"

#include <tare/net/tls.hpp>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace tare::testing;
using tare::task;
using tare::net::endpoint;
using tare::net::listener;
namespace tls = tare::net::tls;

/// A blocking end of a connection that uses only OpenSSL.
class openssl_end {
 public:
  openssl_end(bool server, int fd, const char* suites = nullptr)
      : context_(::SSL_CTX_new(server ? ::TLS_server_method() : ::TLS_client_method())), fd_(fd) {
    std::signal(SIGPIPE, SIG_IGN);  // OpenSSL's own sockets raise it
    if (suites != nullptr) {
      EXPECT_EQ(::SSL_CTX_set_ciphersuites(context_.get(), suites), 1);
    }
    if (server) {
      EXPECT_EQ(::SSL_CTX_use_certificate_chain_file(context_.get(), ours().certificate.c_str()), 1);
      EXPECT_EQ(::SSL_CTX_use_PrivateKey_file(context_.get(), ours().key.c_str(), SSL_FILETYPE_PEM), 1);
    }
    ssl_.reset(::SSL_new(context_.get()));
    EXPECT_EQ(::SSL_set_fd(ssl_.get(), fd), 1);
    EXPECT_EQ(server ? ::SSL_accept(ssl_.get()) : ::SSL_connect(ssl_.get()), 1);
  }

  [[nodiscard]] SSL* get() const noexcept { return ssl_.get(); }

  void write(std::string_view text) const {
    EXPECT_EQ(::SSL_write(ssl_.get(), text.data(), static_cast<int>(text.size())), static_cast<int>(text.size()));
  }
  /// Reads this many bytes, or those before the end.
  [[nodiscard]] std::string read(std::size_t size) const {
    std::string text(size, '\0');
    std::size_t all = 0;
    while (all < size) {
      const int got = ::SSL_read(ssl_.get(), text.data() + all, static_cast<int>(size - all));
      if (got <= 0) break;
      all += static_cast<std::size_t>(got);
    }
    text.resize(all);
    return text;
  }
  /// Bypasses OpenSSL.
  void write_raw(std::string_view bytes) const {
    EXPECT_EQ(::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
  }
  /// The reason why the next read fails, as OpenSSL defines it.
  [[nodiscard]] int reason_of_failure() const {
    ::ERR_clear_error();
    char byte = 0;
    EXPECT_LE(::SSL_read(ssl_.get(), &byte, 1), 0);
    return ERR_GET_REASON(::ERR_get_error());
  }

 private:
  struct free_it {
    void operator()(SSL_CTX* freed) const noexcept { ::SSL_CTX_free(freed); }
    void operator()(SSL* freed) const noexcept { ::SSL_free(freed); }
  };
  std::unique_ptr<SSL_CTX, free_it> context_;
  std::unique_ptr<SSL, free_it> ssl_;
  int fd_;
};

/// A blocking socket connected to the address.
int connect_to(const endpoint& at) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  EXPECT_EQ(::connect(fd, at.data(), at.size()), 0);
  const int on = 1;
  EXPECT_EQ(::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)), 0);
  return fd;
}

using other_end = std::function<void(openssl_end&)>;

/// Our server with an OpenSSL client, which runs `at_client` in its own thread.
task<> with_openssl_client(other_end at_client, std::function<task<>(tls::stream&)> at_server,
                           const char* suites = nullptr) {
  auto listening = listener::bind(endpoint::loopback(0)).value();
  const endpoint at = listening.local().value();
  std::thread client([&] {
    const int fd = connect_to(at);
    {
      openssl_end end(false, fd, suites);
      at_client(end);
    }
    ::close(fd);
  });
  auto plain = co_await listening.accept();
  auto s = co_await tls::stream::accept(std::move(plain).value(), server_context());
  EXPECT_TRUE(s.has_value()) << s.error().message();
  if (s) {
    auto served = at_server(*s);
    co_await std::move(served);
  }
  // Our end stays open until the client has ended, because closing it with unread bytes would discard what it has sent.
  auto join = [&client] { client.join(); };
  co_await tare::offload(join);
}

/// Echoes until the end. Returns the error that ended the connection, if any.
task<std::error_code> echo(tls::stream& s) {
  for (;;) {
    auto got = co_await s.read();
    if (!got) co_return got.error();
    if (got->empty()) co_return std::error_code();
    const auto written = co_await s.write(got->bytes());
    if (!written) co_return written.error();
  }
}

std::function<task<>(tls::stream&)> echo_into(std::error_code& ended) {
  return [&ended](tls::stream& s) -> task<> { ended = co_await echo(s); };
}

class tls_records_test : public on_reactors {};
TARE_ON_ALL_REACTORS(tls_records_test);

std::string patterned(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + i * 7 % 26);
  return text;
}

TEST_P(tls_records_test, carry_bytes_of_every_suite_in_every_size) {
  for (const char* suite : {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}) {
    std::error_code ended = std::make_error_code(std::errc::io_error);
    const auto talk = [&](openssl_end& end) {
      EXPECT_STREQ(::SSL_get_cipher(end.get()), suite);
      for (const std::size_t size : {1U, 2U, 100U, 8'145U, 8'170U, 16'383U, 16'384U, 16'385U, 200'000U}) {
        const std::string text = patterned(size);
        end.write(text);
        EXPECT_EQ(end.read(size), text) << size;
      }
      EXPECT_EQ(::SSL_shutdown(end.get()), 0);
    };
    run(with_openssl_client(talk, echo_into(ended), suite));
    EXPECT_FALSE(ended) << ended.message();
  }
}

TEST_P(tls_records_test, obey_changes_of_keys) {
  std::error_code ended = std::make_error_code(std::errc::io_error);
  const auto talk = [](openssl_end& end) {
    end.write("first");
    EXPECT_EQ(end.read(5), "first");
    for (int i = 0; i < 100; ++i) {
      // With or without a request for the peer's update. One update answers several requests in a row.
      for (int k = 0; k <= i % 3; ++k) {
        EXPECT_EQ(
            ::SSL_key_update(end.get(), (i + k) % 2 == 0 ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED), 1);
        EXPECT_EQ(::SSL_do_handshake(end.get()), 1);
      }
      const std::string text = "after " + std::to_string(i);
      end.write(text);
      EXPECT_EQ(end.read(text.size()), text);
    }
    EXPECT_EQ(::SSL_shutdown(end.get()), 0);
  };
  run(with_openssl_client(talk, echo_into(ended)));
  EXPECT_FALSE(ended) << ended.message();
}

TEST_P(tls_records_test, end_a_connection_that_only_changes_keys) {
  std::error_code ended;
  const auto talk = [](openssl_end& end) {
    end.write("first");
    EXPECT_EQ(end.read(5), "first");
    for (int i = 0; i < 40; ++i) {
      (void)::SSL_key_update(end.get(), SSL_KEY_UPDATE_NOT_REQUESTED);
      if (::SSL_do_handshake(end.get()) != 1) return;  // our end has already ended the connection
    }
    EXPECT_EQ(end.reason_of_failure(), SSL_R_SSLV3_ALERT_UNEXPECTED_MESSAGE);
  };
  run(with_openssl_client(talk, echo_into(ended)));
  EXPECT_EQ(ended.category(), tls::tls_category());
  EXPECT_EQ(ERR_GET_REASON(static_cast<unsigned>(ended.value())), SSL_R_TOO_MANY_KEY_UPDATES) << ended.message();
}

TEST_P(tls_records_test, end_what_has_been_tampered_with) {
  struct damage {
    std::string bytes;
    int reason;  // that our end reports
    int alert;   // that the other end receives
  };
  const std::string sealed_size("\x17\x03\x03\x00\x20", 5);
  const std::vector<damage> cases{
      {.bytes = sealed_size + std::string(32, 'x'),
       .reason = SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC,
       .alert = SSL_R_SSLV3_ALERT_BAD_RECORD_MAC},
      {.bytes = std::string("\x17\x03\x03\x00\x01y", 6),
       .reason = SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC,
       .alert = SSL_R_SSLV3_ALERT_BAD_RECORD_MAC},
      {.bytes = std::string("\x17\x03\x03\x41\x01", 5),
       .reason = SSL_R_ENCRYPTED_LENGTH_TOO_LONG,
       .alert = SSL_R_TLSV1_ALERT_RECORD_OVERFLOW},
      // In plaintext, which is not allowed any more.
      {.bytes = std::string("\x15\x03\x03\x00\x02\x02\x28", 7),
       .reason = SSL_R_UNEXPECTED_RECORD,
       .alert = SSL_R_SSLV3_ALERT_UNEXPECTED_MESSAGE},
      {.bytes = "GET / HTTP/1.1\r\n\r\n",
       .reason = SSL_R_UNEXPECTED_RECORD,
       .alert = SSL_R_SSLV3_ALERT_UNEXPECTED_MESSAGE},
  };
  for (const damage& each : cases) {
    std::error_code ended;
    const auto talk = [&](openssl_end& end) {
      end.write("first");
      EXPECT_EQ(end.read(5), "first");
      end.write_raw(each.bytes);
      EXPECT_EQ(end.reason_of_failure(), each.alert);
    };
    std::error_code again;
    std::error_code written;
    run(with_openssl_client(talk, [&](tls::stream& s) -> task<> {
      ended = co_await echo(s);
      const auto read = co_await s.read();
      again = read ? std::error_code() : read.error();
      const auto write = co_await s.write(bytes_of("too late"));
      written = write ? std::error_code() : write.error();
    }));
    EXPECT_EQ(ERR_GET_REASON(static_cast<unsigned>(ended.value())), each.reason) << ended.message();
    EXPECT_EQ(ended.category(), tls::tls_category());
    EXPECT_EQ(again, ended);
    EXPECT_EQ(written, ended);
  }
}

TEST_P(tls_records_test, tell_an_alert_of_the_other_end) {
  std::error_code ended;
  const auto talk = [](openssl_end& end) {
    end.write("first");
    EXPECT_EQ(end.reason_of_failure(), SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC);
  };
  run(with_openssl_client(talk, [&](tls::stream& s) -> task<> {
    (void)co_await s.read();
    // OpenSSL sends an alert only if something is wrong, so send it garbage.
    const std::string junk = std::string("\x17\x03\x03\x00\x20", 5) + std::string(32, 'x');
    EXPECT_EQ(::send(s.native_handle(), junk.data(), junk.size(), MSG_NOSIGNAL), static_cast<ssize_t>(junk.size()));
    const auto got = co_await s.read();
    ended = got ? std::error_code() : got.error();
  }));
  EXPECT_EQ(ERR_GET_REASON(static_cast<unsigned>(ended.value())), SSL_R_SSLV3_ALERT_BAD_RECORD_MAC) << ended.message();
}

TEST_P(tls_records_test, come_in_pieces_of_any_size) {
  std::error_code ended = std::make_error_code(std::errc::io_error);
  const auto talk = [](openssl_end& end) {
    end.write("first");
    EXPECT_EQ(end.read(5), "first");
    // From now on OpenSSL's output is sent in pieces.
    BIO* const kept = ::BIO_new(::BIO_s_mem());
    ::SSL_set0_wbio(end.get(), kept);
    for (const std::size_t piece : {1U, 3U, 6U, 1000U, 9000U}) {
      const std::string text = patterned(piece * 20);
      end.write(text);
      end.write("more");
      char* all = nullptr;
      const auto size = static_cast<std::size_t>(BIO_get_mem_data(kept, &all));
      for (std::size_t at = 0; at < size; at += piece) {
        end.write_raw({all + at, std::min(piece, size - at)});
        std::this_thread::yield();
      }
      (void)BIO_reset(kept);
      EXPECT_EQ(end.read(text.size() + 4), text + "more");
    }
  };
  run(with_openssl_client(talk, echo_into(ended)));
  // It ended without close_notify.
  EXPECT_EQ(ended, std::errc::connection_aborted) << ended.message();
}

TEST_P(tls_records_test, of_a_client_of_ours_obey_a_server_of_openssl) {
  run([]() -> task<> {
    auto listening = listener::bind(endpoint::loopback(0)).value();
    auto plain = co_await tare::net::connect(listening.local().value());
    auto accepted = co_await listening.accept();
    // OpenSSL's end blocks, so it needs its own descriptor.
    const int fd = ::dup(accepted->native_handle());
    EXPECT_EQ(::fcntl(fd, F_SETFL, 0), 0);
    std::thread server([fd] {
      openssl_end end(true, fd);
      for (int i = 0; i < 10; ++i) {
        EXPECT_EQ(end.read(4), "ping");
        if (i % 3 == 1) {
          // A ticket, which is too late to be useful, and a key update.
          EXPECT_EQ(::SSL_new_session_ticket(end.get()), 1);
          EXPECT_EQ(::SSL_do_handshake(end.get()), 1);
          EXPECT_EQ(::SSL_key_update(end.get(), SSL_KEY_UPDATE_REQUESTED), 1);
          EXPECT_EQ(::SSL_do_handshake(end.get()), 1);
        }
        end.write("pong");
      }
      EXPECT_EQ(end.read(1), "");
      EXPECT_EQ(::SSL_get_shutdown(end.get()), SSL_RECEIVED_SHUTDOWN);
    });
    auto s = co_await tls::stream::connect(std::move(*plain), client_context(), "localhost");
    EXPECT_TRUE(s.has_value()) << s.error().message();
    for (int i = 0; i < 10; ++i) {
      EXPECT_TRUE(co_await s->write(bytes_of("ping")));
      auto got = co_await s->read();
      EXPECT_EQ(text_of(got.value().bytes()), "pong");
    }
    EXPECT_EQ(s->server_name(), "localhost");
    EXPECT_EQ(s->version(), "TLSv1.3");
    EXPECT_TRUE(s->shutdown_write());
    auto join = [&server] { server.join(); };
    co_await tare::offload(join);
    ::close(fd);
  }());
}

}  // namespace
