// A session reads a request, writes a response, and repeats, as in Beast's own examples; or echoes the messages of a
// WebSocket: peer_beast PORT [http | websocket]

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket.hpp>
#include <boost/version.hpp>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <utility>

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
namespace websocket = boost::beast::websocket;
using tcp = asio::ip::tcp;

class session : public std::enable_shared_from_this<session> {
 public:
  explicit session(tcp::socket socket) : socket_(std::move(socket)) {}

  void start() {
    request_ = {};
    http::async_read(socket_, buffer_, request_, [self = shared_from_this()](beast::error_code error, std::size_t) {
      if (!error) self->write();
    });
  }

 private:
  void write() {
    response_ = http::response<http::string_body>(http::status::ok, request_.version());
    response_.set(http::field::content_type, "text/plain");
    response_.keep_alive(request_.keep_alive());
    response_.body() = "Hello, world!";
    response_.prepare_payload();
    http::async_write(socket_, response_, [self = shared_from_this()](beast::error_code error, std::size_t) {
      if (!error && self->response_.keep_alive()) self->start();
    });
  }

  tcp::socket socket_;
  beast::flat_buffer buffer_;
  http::request<http::string_body> request_;
  http::response<http::string_body> response_;
};

class echo : public std::enable_shared_from_this<echo> {
 public:
  explicit echo(tcp::socket socket) : socket_(std::move(socket)) {}

  void start() {
    socket_.set_option(websocket::stream_base::timeout::suggested(beast::role_type::server));
    socket_.async_accept([self = shared_from_this()](beast::error_code error) {
      if (!error) self->read();
    });
  }

 private:
  void read() {
    socket_.async_read(buffer_, [self = shared_from_this()](beast::error_code error, std::size_t) {
      if (!error) self->write();
    });
  }
  void write() {
    socket_.text(socket_.got_text());
    socket_.async_write(buffer_.data(), [self = shared_from_this()](beast::error_code error, std::size_t) {
      if (error) return;
      self->buffer_.consume(self->buffer_.size());
      self->read();
    });
  }

  websocket::stream<beast::tcp_stream> socket_;
  beast::flat_buffer buffer_;
};

template <class Session>
void accept(tcp::acceptor& acceptor) {
  acceptor.async_accept([&acceptor](beast::error_code error, tcp::socket socket) {
    if (!error) {
      socket.set_option(tcp::no_delay(true));
      std::make_shared<Session>(std::move(socket))->start();
    }
    accept<Session>(acceptor);
  });
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::string_view(argv[1]) == "--version") {
    std::puts("Boost " BOOST_LIB_VERSION);
    return 0;
  }
  const std::string_view kind = argc == 3 ? argv[2] : "http";
  if (argc < 2 || argc > 3 || (kind != "http" && kind != "websocket")) {
    std::fprintf(stderr, "usage: %s PORT [http | websocket]\n", argv[0]);
    return 2;
  }
  asio::io_context context(1);
  tcp::acceptor acceptor(context);
  const tcp::endpoint at(asio::ip::address_v4::loopback(),
                         static_cast<unsigned short>(std::strtoul(argv[1], nullptr, 10)));
  acceptor.open(at.protocol());
  acceptor.set_option(tcp::acceptor::reuse_address(true));
  acceptor.bind(at);
  acceptor.listen(4096);
  std::printf("listening on %u\nREADY\n", unsigned{acceptor.local_endpoint().port()});
  std::fflush(stdout);
  if (kind == "websocket") {
    accept<echo>(acceptor);
  } else {
    accept<session>(acceptor);
  }
  context.run();
}
